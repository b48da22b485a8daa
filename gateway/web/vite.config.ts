import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// The gateway sends a strict Content-Security-Policy: no inline script or style, no data: URL, nothing from elsewhere.
export default defineConfig({
  plugins: [svelte()],
  base: "./",
  build: {
    outDir: "../static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    target: "es2022",
    // The first that know light-dark(), by which each colour stands once.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
  },
});
