// The text of one message, in a frame without origin: no script of it runs, nothing of it is loaded from anywhere (the
// policy that comes with this page), and it can reach nothing of the page around it.
addEventListener('message', (event) => {
  if (event.source !== parent) return;
  const { contentType, body } = event.data;
  if (contentType === 'text/html') document.body.innerHTML = body;
  else {
    const text = document.createElement('pre');
    text.style.whiteSpace = 'pre-wrap';
    text.style.overflowWrap = 'anywhere';
    text.style.font = '14px/1.5 system-ui, sans-serif';
    text.dir = 'auto';
    text.textContent = body;
    document.body.replaceChildren(text);
  }
  parent.postMessage({ frame: 'volley-message', height: document.documentElement.scrollHeight }, '*');
});
// Its links lead nowhere from here: the page would be lost, and nobody has asked for what they load.
addEventListener('click', (event) => event.preventDefault());
parent.postMessage({ frame: 'volley-message', ready: true }, '*');
