// Measures what a browser has to fetch, compressed by gzip, against the budgets of the pages, and all files together, compressed by brotli, as
// the program has them. Exit code 1: a budget is exceeded.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

const dist = join(import.meta.dirname, "..", "dist");
const KB = 1000;
const budgets = { join: 110 * KB, console: 150 * KB, route: 70 * KB, embedded: 1_000 * KB };

const sizes = new Map();
const sizeOf = (file) => {
  if (!sizes.has(file)) sizes.set(file, gzipSync(readFileSync(join(dist, file))).length);
  return sizes.get(file);
};

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "..", "dist-manifest.json"), "utf8"));

/** The files that an entry needs before it can begin, those of the pages that it may fetch later left out. */
function needed(key, found = new Set()) {
  const chunk = manifest[key];
  if (found.has(chunk.file)) return found;
  found.add(chunk.file);
  for (const css of chunk.css ?? []) found.add(css);
  for (const other of chunk.imports ?? []) needed(other, found);
  return found;
}

const sum = (files) => [...files].reduce((total, file) => total + sizeOf(file), 0);
const lines = [];
const checkSize = (name, size, budget) => lines.push({ name, size, budget, exceeded: size > budget });
const check = (name, files, budget) => checkSize(name, sum(files), budget);

const join_ = needed("join.html");
const console_ = needed("src/console/start.tsx", needed("console.html"));
check("join", join_, budgets.join);
check("console, start", console_, budgets.console);
for (const key of Object.keys(manifest)) {
  if (!manifest[key].isDynamicEntry || !/Page\.tsx$/.test(key)) continue;
  const own = [...needed(key)].filter((file) => !console_.has(file));
  check(key.replace(/^src\/console\//, ""), own, budgets.route);
}
// As crates/web/build.rs does it: the best that brotli can, and maps of sources are left out.
const embedded = readdirSync(dist, { recursive: true })
  .filter((file) => extname(file) !== ".map" && statSync(join(dist, file)).isFile())
  .map((file) => readFileSync(join(dist, file)))
  .reduce((total, file) => total + Math.min(file.length, brotliCompressSync(file).length), 0);
checkSize("in the program, by brotli", embedded, budgets.embedded);
for (const { name, size, budget, exceeded } of lines) {
  console.log(`${exceeded ? "TOO LARGE " : ""}${name}: ${(size / KB).toFixed(1)} of ${budget / KB} kB`);
}
process.exit(lines.some((line) => line.exceeded) ? 1 : 0);
