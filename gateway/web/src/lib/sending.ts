// Uploads from this browser to the gateway, one after another, each with its progress.

import { ApiError, askAgainAfter, errorOf, newKey } from "./api";
import type { Parcel } from "./dropped";
import * as format from "./format";
import { items } from "./items.svelte";
import { session } from "./session.svelte";
import { toasts } from "./toasts.svelte";
import type { SharedAnswer } from "./types";

export interface Sending {
  id: number;
  name: string;
  size: number;
  sent: number;
  phase: "waiting" | "sending" | "hashing";
}

class Uploads {
  private shown: readonly Sending[] = [];
  private parcels = new Map<number, Parcel>();
  private requests = new Map<number, XMLHttpRequest>();
  private next = 1;
  private busy = false;

  add(parcels: Parcel[], most: number): void {
    for (const parcel of parcels) {
      if (parcel.size > most) {
        const limit = `this peer takes uploads of up to ${format.size(most)}`;
        const text = `${parcel.name} has ${format.size(parcel.size)}; ${limit}. Share it by its path instead.`;
        toasts.show("error", text, "ERR_TOO_LARGE");
        continue;
      }
      const id = this.next++;
      this.parcels.set(id, parcel);
      this.show([...this.shown, { id, name: parcel.name, size: parcel.size, sent: 0, phase: "waiting" }]);
    }
    void this.work();
  }

  cancel(id: number): void {
    this.requests.get(id)?.abort();
    this.drop(id);
  }

  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    for (let first = this.shown[0]; first !== undefined; first = this.shown[0]) {
      const parcel = this.parcels.get(first.id);
      if (parcel) await this.send(first.id, parcel);
      this.drop(first.id);
    }
    this.busy = false;
  }

  private async send(id: number, parcel: Parcel): Promise<void> {
    try {
      const shared = await this.post(id, parcel, newKey(), 2);
      if (shared) toasts.show("success", `${shared.name} is shared`);
      for (const line of shared?.skipped ?? []) toasts.show("info", line);
    } catch (error) {
      toasts.fail(error);
    }
  }

  /**
   * The answer, or null if the upload was cancelled; sent so many times while the connection breaks off. (fetch does not
   * tell how much of a body has left.)
   */
  private post(id: number, parcel: Parcel, key: string, times: number): Promise<SharedAnswer | null> {
    const request = new XMLHttpRequest();
    this.requests.set(id, request);
    return new Promise((done, failed) => {
      request.upload.onprogress = (event) => this.change(id, { sent: event.loaded, phase: "sending" });
      request.upload.onload = () => this.change(id, { sent: parcel.size, phase: "hashing" });
      request.onabort = () => done(null);
      request.onerror = () => {
        if (times > 1) done(this.post(id, parcel, key, times - 1));
        else failed(new ApiError(0, "ERR_UNREACHABLE", `the upload of ${parcel.name} broke off`));
      };
      request.onload = () => {
        const delay = askAgainAfter(request.status, request.getResponseHeader("Retry-After"));
        const again = () => done(this.parcels.has(id) ? this.post(id, parcel, key, times) : null);
        if (delay !== null) setTimeout(again, delay);
        else if (request.status === 201) done(JSON.parse(request.responseText) as SharedAnswer);
        else failed(errorOf(request.status, request.responseText));
      };
      request.open("POST", "/api/v1/shares");
      request.setRequestHeader("Authorization", `Bearer ${session.token}`);
      request.setRequestHeader("Idempotency-Key", key);
      request.send(formOf(parcel));
    });
  }

  private change(id: number, values: Partial<Sending>): void {
    this.show(this.shown.map((sending) => (sending.id === id ? { ...sending, ...values } : sending)));
  }

  private drop(id: number): void {
    this.parcels.delete(id);
    this.requests.delete(id);
    this.show(this.shown.filter((sending) => sending.id !== id));
  }

  private show(shown: readonly Sending[]): void {
    this.shown = shown;
    items.send(shown);
  }
}

function formOf(parcel: Parcel): FormData {
  const form = new FormData();
  for (const folder of parcel.emptyFolders) form.append("folder", folder);
  for (const part of parcel.parts) form.append("file", part.file, part.path);
  return form;
}

export const uploads = new Uploads();
