// Files of a content by their paths, and the folders that they lie in.

import type { FileHeld, FileRow, Priority } from "./types";

/** The folder that a path lies in; empty at the top. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether a path is one of these, or below one. */
export function isCovered(path: string, paths: ReadonlySet<string>): boolean {
  for (let one = path; one !== ""; one = folderOf(one)) if (paths.has(one)) return true;
  return false;
}

/** Whether there is something of it to come. */
export function isOpen(file: FileRow, held: FileHeld | undefined): boolean {
  return held !== undefined && held.wanted && held.bytes_done < file.size;
}

/** These rows once these paths are fetched, or left out: of what is left out only what is not complete is. */
export function withWanted(
  files: readonly FileRow[], held: readonly FileHeld[], paths: ReadonlySet<string>, wanted: boolean,
): FileHeld[] {
  return held.map((row, at) => {
    const file = files[at];
    if (!file || !isCovered(file.path, paths) || row.wanted === wanted) return row;
    return wanted || isOpen(file, row) ? { ...row, wanted } : row;
  });
}

/** How many files are left out, and their bytes: those that need not be fetched, and those that are here already. */
export function leftOutOf(
  files: readonly FileRow[], held: readonly FileHeld[],
): { files: number; missing: number; here: number } {
  const sum = { files: 0, missing: 0, here: 0 };
  for (const [at, row] of held.entries()) {
    if (row.wanted) continue;
    sum.files += 1;
    sum.missing += (files[at]?.size ?? 0) - row.bytes_done;
    sum.here += row.bytes_done;
  }
  return sum;
}

/** These rows, but for those that say what they said before: the same objects, which nothing is drawn anew for. */
export function renewed(before: readonly FileHeld[], now: readonly FileHeld[]): FileHeld[] {
  return now.map((row, at) => {
    const had = before[at];
    const same = had?.wanted === row.wanted && had.bytes_done === row.bytes_done && had.priority === row.priority;
    return had && same ? had : row;
  });
}

/** What is known of the files in a folder, however deep. */
export interface FolderState {
  /** One of them was left out. */
  lacks: boolean;
  /** One of them is fetched, or was. */
  has: boolean;
  /** Of those that are still to come; null if there are none. */
  priority: Priority | "mixed" | null;
}

/** Every folder of these files, in one pass over them. */
export function foldersOf(files: readonly FileRow[], held: readonly FileHeld[]): Map<string, FolderState> {
  const folders = new Map<string, FolderState>();
  for (const [at, file] of files.entries()) {
    const row = held[at];
    if (!row) break;
    const open = isOpen(file, row);
    for (let folder = folderOf(file.path); folder !== ""; folder = folderOf(folder)) {
      let state = folders.get(folder);
      if (!state) folders.set(folder, (state = { lacks: false, has: false, priority: null }));
      if (row.wanted) state.has = true;
      else state.lacks = true;
      if (open && state.priority !== row.priority) state.priority = state.priority === null ? row.priority : "mixed";
    }
  }
  return folders;
}
