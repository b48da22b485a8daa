"""Counters that came as events, as Prometheus text."""

from __future__ import annotations

from gateway.metrics import metrics_text


def test_each_process_is_a_label_and_totals_are_counters():
    text = metrics_text({"peer": {"sent_bytes_total": 5.0, "links": 2.0}, "tracker": {"links": 3.0}}).decode()
    assert "# TYPE shoal_sent_bytes_total counter" in text
    assert 'shoal_sent_bytes_total{process="peer"} 5.0' in text
    assert "# TYPE shoal_links gauge" in text
    assert 'shoal_links{process="tracker"} 3.0' in text


def test_a_name_that_is_none_is_left_out():
    assert b"evil" not in metrics_text({"peer": {'evil{x="1"}': 1.0, "evil\nnewline": 2.0, "Evil": 3.0, "9evil": 4.0}})
