// The files of a content as a tree of folders, and which of them are chosen. Every entry knows the sums of what is below
// it, so that a click costs what it changes.

import type { FileRow } from "./types";

export interface Entry {
  readonly name: string;
  readonly path: string;
  readonly depth: number;
  readonly parent: Entry | null;
  /** By name; null for a file. */
  readonly children: Map<string, Entry> | null;
  /** As shown: folders first; made when the folder is first opened. */
  sorted: Entry[] | null;
  /** From 1, among its siblings as shown. */
  place: number;
  open: boolean;
  size: number;
  files: number;
  chosenSize: number;
  chosenFiles: number;
}

export type Mark = "all" | "some" | "none";

const ORDER = new Intl.Collator(undefined, { numeric: true });

export class FileTree {
  readonly root = entryOf("", "", -1, null, true);

  constructor() {
    this.root.open = true;
  }

  /** Takes in files; new ones are chosen. */
  add(files: FileRow[]): void {
    for (const file of files) {
      const names = file.path.split("/");
      let folder = this.root;
      for (const name of names.slice(0, -1)) folder = childOf(folder, name, true);
      const leaf = childOf(folder, names.at(-1) ?? "", false);
      count(leaf, 1, file.size);
      choose(leaf, true);
    }
  }

  set(entry: Entry, chosen: boolean): void {
    choose(entry, chosen);
  }

  /** What is drawn: everything in open folders, from above. */
  rows(): Entry[] {
    const rows: Entry[] = [];
    const visit = (folder: Entry): void => {
      for (const entry of sortedOf(folder)) {
        rows.push(entry);
        if (entry.open) visit(entry);
      }
    };
    visit(this.root);
    return rows;
  }

  /** The fewest paths that name what is chosen; none if that is everything. */
  only(): string[] {
    if (mark(this.root) === "all") return [];
    const paths: string[] = [];
    const visit = (folder: Entry): void => {
      for (const entry of folder.children?.values() ?? []) {
        const marked = mark(entry);
        if (marked === "all") paths.push(entry.path);
        else if (marked === "some") visit(entry);
      }
    };
    visit(this.root);
    return paths;
  }
}

export function mark(entry: Entry): Mark {
  if (entry.chosenFiles === 0) return "none";
  return entry.chosenFiles === entry.files ? "all" : "some";
}

function entryOf(name: string, path: string, depth: number, parent: Entry | null, folder: boolean): Entry {
  const children = folder ? new Map<string, Entry>() : null;
  const sums = { size: 0, files: 0, chosenSize: 0, chosenFiles: 0 };
  return { name, path, depth, parent, children, sorted: null, place: 0, open: false, ...sums };
}

function childOf(folder: Entry, name: string, isFolder: boolean): Entry {
  let child = folder.children?.get(name);
  if (!child) {
    const path = folder.path ? `${folder.path}/${name}` : name;
    child = entryOf(name, path, folder.depth + 1, folder, isFolder);
    folder.children?.set(name, child);
    folder.sorted = null;
  }
  return child;
}

function sortedOf(folder: Entry): Entry[] {
  if (!folder.sorted) {
    folder.sorted = [...(folder.children?.values() ?? [])];
    folder.sorted.sort((one, other) => {
      const kinds = Number(one.children === null) - Number(other.children === null);
      return kinds || ORDER.compare(one.name, other.name);
    });
    folder.sorted.forEach((entry, index) => (entry.place = index + 1));
  }
  return folder.sorted;
}

function count(leaf: Entry, files: number, size: number): void {
  for (let entry: Entry | null = leaf; entry; entry = entry.parent) {
    entry.files += files;
    entry.size += size;
  }
}

function choose(top: Entry, chosen: boolean): void {
  const files = (chosen ? top.files : 0) - top.chosenFiles;
  const size = (chosen ? top.size : 0) - top.chosenSize;
  const visit = (entry: Entry): void => {
    entry.chosenFiles = chosen ? entry.files : 0;
    entry.chosenSize = chosen ? entry.size : 0;
    for (const child of entry.children?.values() ?? []) visit(child);
  };
  visit(top);
  for (let entry = top.parent; entry; entry = entry.parent) {
    entry.chosenFiles += files;
    entry.chosenSize += size;
  }
}
