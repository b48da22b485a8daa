// Light, dark or high contrast: as the system says, or as was chosen here.

import { recall, remember } from "./stored";

export const THEMES = { system: "As the system", light: "Light", dark: "Dark", contrast: "High contrast" } as const;
export type ThemeName = keyof typeof THEMES;

const wantsContrast = matchMedia("(prefers-contrast: more)");

class Theme {
  chosen = $state<ThemeName>("system");

  constructor() {
    const kept = recall("theme");
    if (typeof kept === "string" && kept in THEMES) this.chosen = kept as ThemeName;
    wantsContrast.addEventListener("change", () => this.apply());
    this.apply();
  }

  choose(name: ThemeName): void {
    this.chosen = name;
    remember("theme", name);
    this.apply();
  }

  private apply(): void {
    const { dataset } = document.documentElement;
    dataset["theme"] = this.chosen;
    dataset["contrast"] = this.chosen === "contrast" || wantsContrast.matches ? "more" : "normal";
  }
}

export const theme = new Theme();
