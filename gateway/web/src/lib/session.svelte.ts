// The access token. It comes once, in the fragment of the printed link, which no server ever sees; it is taken out of
// the address bar at once and kept in this origin's storage. No cookie: browsers share those between ports.

const KEY = "shoal.token";

/** What is kept from a visit before. Storage may be off: the token then lives as long as the page. */
function kept(): string {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function keep(token: string): void {
  try {
    if (token) localStorage.setItem(KEY, token);
    else localStorage.removeItem(KEY);
  } catch {
    // As in `kept`.
  }
}

class Session {
  token = $state("");
  /** Why the last token was refused, for the prompt. */
  refusal = $state("");

  constructor() {
    this.token = kept();
    this.takeFragment();
    window.addEventListener("hashchange", () => this.takeFragment());
  }

  accept(token: string): void {
    keep(token);
    this.refusal = "";
    this.token = token;
  }

  refuse(reason: string): void {
    keep("");
    this.refusal = reason;
    this.token = "";
  }

  private takeFragment(): void {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (token === null) return;
    history.replaceState(null, "", location.pathname + location.search);
    this.accept(token);
  }
}

export const session = new Session();
