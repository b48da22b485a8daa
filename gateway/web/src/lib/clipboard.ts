import { toasts } from "./toasts.svelte";

/** Copies a text and says so. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toasts.show("info", `Copied ${what}`);
  } catch {
    // Browsers give the clipboard only to pages on localhost or https.
    toasts.show("info", text);
  }
}
