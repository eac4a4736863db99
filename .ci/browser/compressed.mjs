// Serves a printed book as hosts do, compressed, for measurements that depend on its size.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize, sep } from "node:path";
import { gzipSync } from "node:zlib";

const kinds = {
  ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
  ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
};

// Returns the server's address and a function that closes it.
export async function serve(folder) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
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
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}
