// Serves a printed book as hosts do, compressed and by HTTP/2, for measurements of how long it takes to load. Browsers ask for a
// certificate then; openssl makes one that lasts a day.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createSecureServer } from "node:http2";
import { tmpdir } from "node:os";
import { extname, join, normalize, sep } from "node:path";
import { gzipSync } from "node:zlib";

const kinds = {
  ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
  ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
};

function certificate() {
  const folder = mkdtempSync(join(tmpdir(), "book-"));
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(folder, name));
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert], { stdio: "ignore" });
  const pair = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(folder, { recursive: true });
  return pair;
}

// Returns the server's address and a function that closes it.
export async function serve(folder) {
  const server = createSecureServer({ ...certificate(), allowHTTP1: true }, async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "https://localhost").pathname));
    const file = join(folder, path.endsWith(sep) ? `${path}index.html` : path);
    try {
      const body = await readFile(file);
      const kind = kinds[extname(file)] ?? "application/octet-stream";
      const text = /^text|json|svg/.test(kind);
      response.writeHead(200, {
        "content-type": kind,
        "cache-control": "max-age=600",
        ...(text && { "content-encoding": "gzip", vary: "accept-encoding" }),
      });
      response.end(text ? gzipSync(body) : body);
    } catch {
      response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `https://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}
