// Short messages that go away by themselves; errors stay until they are dismissed.

import { ApiError } from "./api";

export type Level = "success" | "info" | "error";

export interface Toast {
  id: number;
  level: Level;
  text: string;
  code: string;
}

const LASTS_MS = 6000;
const MOST = 5;

class Toasts {
  shown = $state.raw<Toast[]>([]);
  private next = 1;

  show(level: Level, text: string, code = ""): void {
    const toast = { id: this.next++, level, text, code };
    this.shown = [...this.shown.filter((other) => other.text !== text), toast].slice(-MOST);
    if (level !== "error") setTimeout(() => this.dismiss(toast.id), LASTS_MS);
  }

  /** Shows what a failed call says. */
  fail(error: unknown): void {
    if (error instanceof ApiError) this.show("error", error.message, error.code);
    else this.show("error", String(error));
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
