// What was dropped or picked, as parcels: each is one file or one folder, and is shared as one content.

export interface Part {
  /** Relative, with the parcel's name as its first part. */
  path: string;
  file: File;
}

export interface Parcel {
  name: string;
  parts: Part[];
  /** Folders with nothing in them, which no part would name. */
  emptyFolders: string[];
  size: number;
}

/** Must be called within the drop event: what it carries is gone afterwards. */
export async function parcelsOfDrop(transfer: DataTransfer): Promise<Parcel[]> {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  // Some sources, such as a picture dragged out of another page, give a file without an entry.
  const taken = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const parcels = taken.map(({ entry, file }) => (entry ? parcelOfEntry(entry) : file ? parcelOfFile(file) : null));
  return Promise.all(parcels.filter((parcel) => parcel !== null));
}

/** The files of an `<input type="file">`, with or without `webkitdirectory`. */
export function parcelsOfPick(files: FileList): Parcel[] {
  const parcels = new Map<string, Parcel>();
  for (const file of files) {
    const path = file.webkitRelativePath || file.name;
    const name = path.split("/")[0] ?? path;
    const parcel = parcels.get(name) ?? { name, parts: [], emptyFolders: [], size: 0 };
    parcels.set(name, parcel);
    addPart(parcel, path, file);
  }
  return [...parcels.values()];
}

function parcelOfFile(file: File): Parcel {
  return { name: file.name, parts: [{ path: file.name, file }], emptyFolders: [], size: file.size };
}

async function parcelOfEntry(entry: FileSystemEntry): Promise<Parcel> {
  const parcel: Parcel = { name: entry.name, parts: [], emptyFolders: [], size: 0 };
  await walk(entry, entry.name, parcel);
  return parcel;
}

async function walk(entry: FileSystemEntry, path: string, parcel: Parcel): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    addPart(parcel, path, file);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  let empty = true;
  // A reader gives some entries at a time, and none when it is at the end.
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (batch.length === 0) break;
    empty = false;
    for (const child of batch) await walk(child, `${path}/${child.name}`, parcel);
  }
  if (empty) parcel.emptyFolders.push(path);
}

function addPart(parcel: Parcel, path: string, file: File): void {
  parcel.parts.push({ path, file });
  parcel.size += file.size;
}
