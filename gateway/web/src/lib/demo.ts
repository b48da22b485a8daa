// A first try in one click: fetches the demo folder that another peer offers, or shares one from here for others to find.

import { api } from "./api";
import type { Parcel } from "./dropped";
import { items } from "./items.svelte";
import { uploads } from "./sending";
import { toasts } from "./toasts.svelte";

const NAME = "Shoal demo";
const NOISE = 4 * 2 ** 20;
/** What a browser gives at a time. */
const AT_ONCE = 65_536;

export async function tryIt(peer: string, most: number): Promise<void> {
  const found = await demoOfAnother();
  if (!found) {
    uploads.add([demoOf(peer)], most);
    toasts.show("info", `A demo folder is shared from here; try it out on another peer's page to fetch it`);
    return;
  }
  try {
    await api.download({ id: found.id });
    toasts.show("info", `${found.name} is being fetched`);
  } catch (error) {
    toasts.fail(error);
  }
}

async function demoOfAnother(): Promise<{ id: string; name: string } | undefined> {
  try {
    const found = await api.search(NAME, AbortSignal.timeout(10_000));
    return found.find((one) => one.name.startsWith(`${NAME} of `) && one.seeds > 0 && !items.get(one.id));
  } catch {
    return undefined; // nobody can be asked, so nothing can be fetched
  }
}

function demoOf(peer: string): Parcel {
  const name = `${NAME} of ${peer}`;
  const noise = new Uint8Array(NOISE);
  for (let at = 0; at < NOISE; at += AT_ONCE) crypto.getRandomValues(noise.subarray(at, at + AT_ONCE));
  const readme =
    `This folder was made by the page of the peer ${peer}, to try out Shoal.\n\n` +
    "Every peer with the same tracker finds it by searching for its name. Remove it with its data when you are done.\n";
  const parts = [
    { path: `${name}/read me.txt`, file: new File([readme], "read me.txt") },
    { path: `${name}/noise/4 MiB of noise.bin`, file: new File([noise], "noise.bin") },
  ];
  return { name, parts, emptyFolders: [], size: NOISE + readme.length };
}
