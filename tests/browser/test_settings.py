"""The settings and the limits on the page, in a real Chromium before a stand-in peer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from tests.kit.table import view
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

MIB = 2**20


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), {"upload_max": "3 MiB"}) as web:
        yield web


def settings_of(web: WebPeer, open_page) -> Page:
    page: Page = open_page(web.page)
    view(page, "Settings")
    return page


def setting(page: Page, key: str) -> Locator:
    return page.get_by_role("region", name="Settings").locator(f"[data-key='{key}']")


def test_a_setting_says_what_it_does_what_it_may_be_and_where_it_comes_from(web, open_page):
    page = settings_of(web, open_page)
    longest = setting(page, "gateway.upload_max")
    expect(longest).to_contain_text("Bytes of one upload through the page.")
    expect(longest).to_contain_text("3 MiB")
    expect(longest).to_contain_text("from the file")
    expect(longest).to_contain_text("Takes a size, at least 1 B; default 64 GiB. Takes a restart.")
    expect(page.get_by_role("region", name="Settings")).to_contain_text(str(web.config))


def test_settings_are_found_by_words_and_those_of_the_users_own_alone(web, open_page):
    page = settings_of(web, open_page)
    expect(setting(page, "transfer.window")).to_be_visible()
    page.get_by_role("searchbox", name="Find a setting").fill("upload page")
    expect(setting(page, "gateway.upload_max")).to_be_visible()
    expect(setting(page, "transfer.window")).to_have_count(0)
    page.get_by_role("searchbox", name="Find a setting").fill("")
    page.get_by_label("Only what is not the default").check()
    expect(setting(page, "gateway.upload_max")).to_be_visible()
    expect(setting(page, "gateway.threads")).to_have_count(0)


def test_a_file_that_changed_since_the_start_is_told_of(web, open_page):
    before = web.config.read_text()
    web.config.write_text(before.replace("3 MiB", "5 MiB"))
    page = settings_of(web, open_page)
    expect(page.get_by_role("status").filter(has_text="has changed")).to_contain_text("gateway.upload_max")
    expect(setting(page, "gateway.upload_max")).to_contain_text("after a restart: 5 MiB")
    web.config.write_text(before)


def test_nothing_is_written_before_the_limits_are_known_for_the_answer_would_write_over_it(web, open_page):
    held: list[tuple[Route, APIResponse]] = []
    page: Page = open_page(web.page)
    page.route("**/api/v1/limits", lambda route: held.append((route, route.fetch())), times=1)
    view(page, "Settings")
    limits = page.get_by_role("region", name="Speed limits")
    expect(limits).to_contain_text("Asking…")
    expect(limits.get_by_role("textbox")).to_have_count(0)
    eventually(lambda: page.evaluate("1") and held, within=5)
    held[0][0].fulfill(response=held[0][1])
    expect(limits.get_by_role("textbox", name="Upload")).to_be_editable()


def test_limits_are_checked_while_they_are_written_and_hold_when_they_are_applied(web, open_page):
    page = settings_of(web, open_page)
    limits = page.get_by_role("region", name="Speed limits")
    upload, apply = limits.get_by_role("textbox", name="Upload"), limits.get_by_role("button", name="Apply")
    expect(apply).to_be_disabled()
    upload.fill("fast")
    expect(limits).to_contain_text("Write a number above 0")
    expect(apply).to_be_disabled()
    upload.fill("2.5")
    apply.click()
    expect(page.get_by_role("log")).to_contain_text("Limits now: unlimited down, 2.5 MiB/s up")
    assert web.get("/limits")["up"] == 2.5 * MIB
    expect(setting(page, "limits.up")).to_contain_text("2.5 MiB/s")
    expect(setting(page, "limits.up")).to_contain_text("set while running")


@pytest.mark.parametrize(
    ("rate", "text", "unit"),
    [
        (1500 * 1024, "1500", "KiB/s"), (10_000_000, "9765.625", "KiB/s"), (1_000_000, "976.5625", "KiB/s"),
        (1, "0.0009765625", "KiB/s"), (2.5 * MIB, "2.5", "MiB/s"), (700 * 1024, "700", "KiB/s"),
        (1024 * MIB, "1", "GiB/s"),
    ],
)  # fmt: skip
def test_any_limit_is_shown_as_it_is_and_nothing_is_to_be_applied(web, open_page, rate, text, unit):
    web.call("PATCH", "/limits", json={"down": int(rate)}).raise_for_status()
    limits = settings_of(web, open_page).get_by_role("region", name="Speed limits")
    download = limits.get_by_role("textbox", name="Download")
    expect(download).to_have_value(text)
    expect(limits.get_by_label("Unit of download", exact=True)).to_have_value(unit)
    expect(limits.get_by_role("button", name="Apply")).to_be_disabled()
    web.call("PATCH", "/limits", json={"down": 3 * MIB}).raise_for_status()
    expect(download).to_have_value("3")


def test_limits_that_change_elsewhere_arrive_but_not_over_what_is_being_written(web, open_page):
    page = settings_of(web, open_page)
    limits = page.get_by_role("region", name="Speed limits")
    web.call("PATCH", "/limits", json={"down": 3 * MIB}).raise_for_status()
    expect(limits.get_by_role("textbox", name="Download")).to_have_value("3")
    limits.get_by_role("textbox", name="Download").fill("8")
    web.call("PATCH", "/limits", json={"down": 4 * MIB}).raise_for_status()
    limits.get_by_role("button", name="Undo").click()
    expect(limits.get_by_role("textbox", name="Download")).to_have_value("4")


def test_what_changed_elsewhere_is_not_undone_by_what_is_applied_here(web, open_page):
    web.call("PATCH", "/limits", json={"down": 2 * MIB}).raise_for_status()
    page = settings_of(web, open_page)
    limits = page.get_by_role("region", name="Speed limits")
    expect(limits.get_by_role("textbox", name="Download")).to_have_value("2")
    limits.get_by_role("textbox", name="Download").fill("8")
    days = {"up": 0, "down": MIB, "days": ["mon"], "begin": "08:00", "end": "18:00"}
    web.call("PATCH", "/limits", json={"up": 5 * MIB, "schedule": days}).raise_for_status()
    expect(limits.get_by_role("textbox", name="Upload", exact=True)).to_have_value("5")
    expect(limits.get_by_label("Other limits at certain times")).to_be_checked()
    expect(limits.get_by_role("textbox", name="Download", exact=True)).to_have_value("8")
    limits.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("log")).to_contain_text("Limits now: 8.0 MiB/s down, 5.0 MiB/s up")
    told = web.get("/limits")
    assert (told["down"], told["up"], told["schedule"]) == (8 * MIB, 5 * MIB, days)
    web.call("PATCH", "/limits", json={"down": 0, "up": 0, "schedule": None}).raise_for_status()


def test_other_limits_at_certain_times_are_set_shown_again_and_taken_back(web, open_page):
    page = settings_of(web, open_page)
    limits = page.get_by_role("region", name="Speed limits")
    apply = limits.get_by_role("button", name="Apply")
    limits.get_by_label("Other limits at certain times").check()
    for day in ("Mon", "Tue", "Wed", "Thu", "Fri"):
        limits.get_by_label(day).uncheck()
    expect(limits).to_contain_text("Choose a day.")
    expect(apply).to_be_disabled()
    limits.get_by_label("Sun").check()
    limits.get_by_label("From").fill("22:30")
    limits.get_by_label("to", exact=True).fill("06:00")
    expect(limits).to_contain_text("on the next day")
    limits.get_by_role("textbox", name="Upload then").fill("1")
    apply.click()
    expect(apply).to_be_disabled()
    nights = {"up": MIB, "down": 0, "days": ["sun"], "begin": "22:30", "end": "06:00"}
    assert web.get("/limits")["schedule"] == nights
    page.reload()
    expect(limits.get_by_label("Sun")).to_be_checked()
    expect(limits.get_by_label("From")).to_have_value("22:30")
    limits.get_by_label("Other limits at certain times").uncheck()
    apply.click()
    expect(apply).to_be_disabled()
    assert web.get("/limits")["schedule"] is None


# --- changing them ---------------------------------------------------------------------------


@pytest.fixture
def kept(web: WebPeer) -> Iterator[str]:
    """The configuration file, which is as it was when the test has ended."""
    before = web.config.read_text()
    yield before
    web.config.write_text(before)


def test_a_setting_is_changed_in_the_file_and_says_that_it_waits_for_a_restart(web, open_page, kept):
    page = settings_of(web, open_page)
    row = setting(page, "transfer.window")
    field = row.get_by_role("textbox", name="transfer.window")
    expect(field).to_have_value("16")
    expect(row.get_by_role("combobox", name="Unit of transfer.window")).to_have_value("MiB")
    expect(row.get_by_role("button", name="Apply")).to_have_count(0)
    field.fill("8")
    row.get_by_role("button", name="Apply").click()
    expect(row).to_contain_text("after a restart: 8 MiB")
    expect(row.get_by_role("button", name="Apply")).to_have_count(0)
    expect(field).to_have_value("8")
    told = page.get_by_role("status").filter(has_text="has changed")
    expect(told).to_contain_text("transfer.window")
    expect(told).to_contain_text("Stop shoal peer north and shoal gateway north, and start them again.")
    assert web.config.read_text() == kept[:-1] + ", transfer: {window: 8 MiB}}"
    page.reload()
    expect(row).to_contain_text("after a restart: 8 MiB")


def test_switches_choices_numbers_and_durations_have_fields_of_their_own(web, open_page, kept):
    page = settings_of(web, open_page)
    row = setting(page, "transfer.picker")
    row.get_by_role("combobox").select_option("sequential")
    row.get_by_role("button", name="Apply").click()
    expect(row).to_contain_text("after a restart: sequential")
    row = setting(page, "transfer.upload_slots")
    row.get_by_role("textbox").fill("3")
    row.get_by_role("textbox").press("Enter")
    expect(row).to_contain_text("after a restart: 3")
    row = setting(page, "transfer.chunk_timeout")
    row.get_by_role("textbox").fill("1,5")
    row.get_by_role("combobox").select_option("min")
    row.get_by_role("button", name="Apply").click()
    expect(row).to_contain_text("after a restart: 1.5 min")
    assert web.config.read_text() == kept[:-1] + (
        ", transfer: {picker: sequential, upload_slots: 3, chunk_timeout: 1.5 min}}"
    )


def test_what_cannot_be_is_said_before_it_is_sent_and_what_the_peer_refuses_below_it(web, open_page, kept):
    page = settings_of(web, open_page)
    row = setting(page, "transfer.workers")
    row.get_by_role("textbox").fill("99")
    expect(row).to_contain_text("Takes 1 to 16.")
    expect(row.get_by_role("button", name="Apply")).to_be_disabled()
    row.get_by_role("button", name="Undo").click()
    expect(row.get_by_role("textbox")).to_have_value("2")
    row = setting(page, "transfer.window")
    row.get_by_role("textbox").fill("64")
    row.get_by_role("button", name="Apply").click()
    expect(row.get_by_role("alert")).to_contain_text("expected transfer.window at most transfer.window_total")
    expect(row.get_by_role("textbox")).to_have_value("64")
    assert web.config.read_text() == kept


def test_what_no_page_may_change_says_why_and_where_it_stands(web, open_page):
    page = settings_of(web, open_page)
    row = setting(page, "gateway.host")
    expect(row).to_contain_text("Not changed here: it decides who reaches the page")
    expect(row).to_contain_text("It is the line host of the section gateway.")
    expect(row.get_by_role("textbox")).to_have_count(0)


def test_a_page_that_saw_older_settings_overwrites_nothing_and_looks_again(web, open_page, kept):
    page = settings_of(web, open_page)
    row = setting(page, "logging.level")
    before = ["debug"]

    def overtake(route: Route) -> None:
        if route.request.method == "PATCH" and before:
            web.call("PATCH", "/settings", json={"logging.level": before.pop()}).raise_for_status()
        route.continue_()

    page.route("**/api/v1/settings", overtake)
    row.get_by_role("combobox").select_option("error")
    row.get_by_role("button", name="Apply").click()
    expect(row.get_by_role("alert")).to_contain_text("look at them again")
    expect(row).to_contain_text("after a restart: debug")
    expect(row.get_by_role("combobox")).to_have_value("error")
    row.get_by_role("button", name="Apply").click()
    expect(row).to_contain_text("after a restart: error")


def test_an_answer_that_was_overtaken_does_not_bring_older_settings_back(web, open_page, kept):
    web.call("PATCH", "/limits", json={"up": 6 * MIB}).raise_for_status()
    page = settings_of(web, open_page)
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/api/v1/settings", lambda route: held.append((route, route.fetch())), times=1)
    limits = page.get_by_role("region", name="Speed limits")
    expect(limits.get_by_role("textbox", name="Upload")).to_have_value("6")
    limits.get_by_role("textbox", name="Upload").fill("7")
    limits.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("log")).to_contain_text("7.0 MiB/s up")
    eventually(lambda: page.evaluate("1") and held, within=5)
    row = setting(page, "logging.level")
    row.get_by_role("combobox").select_option("error")
    row.get_by_role("button", name="Apply").click()
    expect(row).to_contain_text("after a restart: error")
    told = []
    page.expose_function("tell", lambda text: told.append(text))  # noqa: PLW0108  it takes functions alone
    row.evaluate(
        "it => new MutationObserver(() => window.tell(it.textContent)).observe("
        "it, { childList: true, characterData: true, subtree: true })"
    )
    with page.expect_response("**/api/v1/settings"):
        held[0][0].fulfill(response=held[0][1])
    row.get_by_role("combobox").select_option("debug")
    row.get_by_role("button", name="Apply").click()
    expect(row).to_contain_text("after a restart: debug")
    eventually(lambda: page.evaluate("1") and told and "after a restart: debug" in told[-1], within=5)
    assert all("after a restart" in text for text in told)
