// Before the first paint: a page that is light for a moment and then dark hurts at night.
let theme = null;
try {
  theme = localStorage.getItem('volley.theme');
} catch {
  // Nothing can be stored in this browser.
}
document.documentElement.dataset.theme =
  theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
