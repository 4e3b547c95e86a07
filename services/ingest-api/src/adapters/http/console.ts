import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Context } from 'koa';

/** Answers what belongs to the pages, and says whether it did. */
export type Console = (ctx: Context) => boolean;

const policy = (directives: Readonly<Record<string, string>>): string =>
  Object.entries(directives)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ');

/** Nothing but the page's own files and its own API; no text of anybody becomes script or style. */
const OF_PAGES = policy({
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' data:",
  'font-src': "'self'",
  'connect-src': "'self'",
  'frame-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
});
/**
 * The frame that shows a message as its recipient sees it: mails are styled inline, so styles may stand in it. `sandbox`
 * takes its origin from it, also when somebody opens it alone; the one script is the file that puts the text in its place.
 */
const OF_MESSAGES = policy({
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'unsafe-inline'",
  'img-src': 'data:',
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'self'",
  sandbox: 'allow-scripts',
});
const MESSAGE_FRAME = '/message-frame.html';
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface File {
  readonly type: string;
  readonly body: Buffer;
  readonly gzip: Buffer;
  readonly etag: string;
}

/**
 * The built console of a folder; undefined when there is none in it. It is a few hundred kilobytes, read once: no path of
 * a request reaches the file system, and a folder that is built anew meanwhile takes nothing from under a running answer.
 */
export function createConsole(dir: string): Console | undefined {
  if (!existsSync(join(dir, 'index.html'))) return undefined;
  const files = new Map<string, File>();
  for (const name of globSync('**/*', { cwd: dir })) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const body = readFileSync(join(dir, name));
    const etag = `W/"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
    files.set(`/${name.replaceAll('\\', '/')}`, { type, body, gzip: gzipSync(body, { level: 9 }), etag });
  }

  function answer(ctx: Context, path: string): boolean {
    const file = files.get(path);
    if (!file) return false;
    ctx.state.operation = 'console';
    ctx.set('Content-Security-Policy', path === MESSAGE_FRAME ? OF_MESSAGES : OF_PAGES);
    ctx.set('Referrer-Policy', 'no-referrer');
    // Else the names in a message's links are looked up, and a name of its own tells whose message was opened.
    ctx.set('X-DNS-Prefetch-Control', 'off');
    ctx.set('Cross-Origin-Opener-Policy', 'same-origin');
    // Assets are named by what is in them: they never change.
    ctx.set('Cache-Control', path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');
    ctx.set('Vary', 'Accept, Accept-Encoding');
    ctx.set('ETag', file.etag);
    ctx.status = 200;
    if (ctx.fresh) {
      ctx.status = 304;
      return true;
    }
    const compressed = ctx.acceptsEncodings('gzip', 'identity') === 'gzip';
    if (compressed) ctx.set('Content-Encoding', 'gzip');
    ctx.body = compressed ? file.gzip : file.body;
    ctx.set('Content-Type', file.type);
    return true;
  }

  return (ctx) => {
    const { method, path } = ctx;
    if ((method !== 'GET' && method !== 'HEAD') || path === '/v1' || path.startsWith('/v1/')) return false;
    if (path === '/openapi.json') return false;
    if (answer(ctx, path)) return true;
    // Every address within the page is the page. A program that asks for `/` is told what this is, and for another that
    // there is nothing.
    return ctx.accepts('json', 'html') === 'html' && answer(ctx, '/index.html');
  };
}
