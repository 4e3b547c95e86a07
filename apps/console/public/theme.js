// Before the first paint: a page that is light for a moment and then dark hurts at night.
document.documentElement.dataset.theme =
  localStorage.getItem('volley.theme') ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
