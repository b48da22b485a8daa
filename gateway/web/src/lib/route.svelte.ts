// Which view is shown: it stands in the fragment, so that it can be gone back to. Tokens stand there too, without a slash.

export const VIEWS = {
  transfers: "Transfers",
  search: "Search",
  network: "Network",
  reputation: "Reputation",
  bus: "Bus",
  settings: "Settings",
} as const;
export type View = keyof typeof VIEWS;

class Route {
  view = $state<View>("transfers");

  constructor() {
    window.addEventListener("hashchange", () => this.read());
    this.read();
  }

  show(view: View): void {
    if (view !== this.view) location.hash = `/${view}`;
    this.view = view;
  }

  private read(): void {
    const named = /^#\/(\w+)$/.exec(location.hash)?.[1] ?? "transfers";
    this.view = named in VIEWS ? (named as View) : "transfers";
  }
}

export const route = new Route();
