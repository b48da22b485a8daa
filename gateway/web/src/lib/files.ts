// Paths of files in a content.

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
