// The peer whose dialog is open: any view may open it.

class Inspected {
  /** Its id; empty: none. */
  peer = $state("");
}

export const inspected = new Inspected();
