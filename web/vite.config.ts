import { existsSync, renameSync, rmSync } from "node:fs";
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

interface Modules {
  getModuleInfo(id: string): { importedIds: readonly string[] } | null;
}

/** Tells whether a module is needed before a page begins, beside the first one; those that it may fetch later are not. */
function neededBy(entry: string) {
  let found: Set<string> | undefined;
  const walk = (id: string, modules: Modules, seen: Set<string>): Set<string> => {
    if (seen.has(id)) return seen;
    seen.add(id);
    for (const imported of modules.getModuleInfo(id)?.importedIds ?? []) walk(imported, modules, seen);
    return seen;
  };
  return (id: string, modules: Modules): boolean => {
    found ??= walk(at(entry), modules, new Set());
    return found.has(id) && id !== at(entry);
  };
}

const START = "src/console/start.tsx";
const inConsole = neededBy(START);
const inJoin = neededBy("src/join/main.tsx");
const inBoth = (id: string, modules: Modules) => inConsole(id, modules) && inJoin(id, modules);

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
      // What the console fetches in its second step is asked for with the first.
      name: "start-of-the-console",
      transformIndexHtml: {
        order: "post",
        handler(html, { bundle, path }) {
          const chunks = Object.values(bundle ?? {}).filter((one) => one.type === "chunk");
          const start = chunks.find((one) => one.facadeModuleId === at(START));
          if (!start || !path.endsWith("console.html")) return;
          const files = [start.fileName, ...start.imports];
          const styles = chunks
            .filter((one) => files.includes(one.fileName))
            .flatMap((one) => [...(one.viteMetadata?.importedCss ?? [])]);
          const link = (rel: string, file: string) => ({
            tag: "link",
            attrs: { rel, crossorigin: true, href: `/${file}` },
            injectTo: "head" as const,
          });
          return [
            ...files.map((file) => link("modulepreload", file)),
            ...styles.map((file) => link("stylesheet", file)),
          ].filter(({ attrs }) => !html.includes(attrs.href));
        },
      },
    },
    {
      // What is in dist becomes part of the program; the list of its files is for scripts/budgets.mjs only.
      name: "manifest-beside-dist",
      apply: "build",
      closeBundle() {
        // A build that failed has none, and says why itself.
        if (!existsSync(at("dist/.vite/manifest.json"))) return;
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
    rollupOptions: {
      input: { console: at("console.html"), join: at("join.html") },
      output: {
        codeSplitting: {
          // What the console begins with, in two files instead of forty: one of them is the join page's, too.
          groups: [
            {
              debugName: "shared",
              priority: 2,
              name: (id, modules) => (inBoth(id, modules) ? "shared" : null),
            },
            {
              debugName: "base",
              priority: 1,
              name: (id, modules) => (inConsole(id, modules) ? "base" : null),
            },
          ],
        },
      },
    },
  },
  server: {
    proxy: { "/v1": proxied, "/docs": proxied, "/sipproxy": { target: service, ws: true } },
  },
});
