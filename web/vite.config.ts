import { renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Where `npm run dev` finds a running service. `PLENARY_KEY` is an API key that stands in for signing in. Neither is part of what
 * is built.
 */
const service = process.env.PLENARY_URL ?? "http://127.0.0.1:8080";
const key = process.env.PLENARY_KEY;
const proxied = { target: service, ...(key ? { headers: { Authorization: `Bearer ${key}` } } : {}) };

export default defineConfig({
  plugins: [
    react(),
    {
      name: "pages-of-the-service",
      configureServer(server) {
        server.middlewares.use((request, _answer, next) => {
          if (/^\/console(\/|$|\?)/.test(request.url ?? "")) request.url = "/console.html";
          else if (/^\/join\//.test(request.url ?? "")) request.url = "/join.html";
          next();
        });
      },
    },
    {
      // What is in dist becomes part of the program; the list of its files is for scripts/budgets.mjs only.
      name: "manifest-beside-dist",
      apply: "build",
      closeBundle() {
        renameSync(at("dist/.vite/manifest.json"), at("dist-manifest.json"));
        rmSync(at("dist/.vite"), { recursive: true });
      },
    },
  ],
  build: {
    target: "es2022",
    manifest: true,
    modulePreload: { polyfill: false },
    // A data: address would be refused by the pages' Content-Security-Policy for some kinds of content.
    assetsInlineLimit: 0,
    rollupOptions: { input: { console: at("console.html"), join: at("join.html") } },
  },
  server: {
    proxy: { "/v1": proxied, "/docs": proxied, "/sipproxy": { target: service, ws: true } },
  },
});
