/** Health check inside the image, which has no curl: exits 0 when /readyz on this admin port says so. */
const port = Number(process.argv[2]);
try {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(4_000) });
  process.exitCode = response.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
