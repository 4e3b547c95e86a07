// The text of one message, in a frame without origin: no script of it runs, nothing of it is loaded from anywhere (the
// policy that comes with this page), and it can reach nothing of the page around it. What the policy would refuse is
// taken out before, so that a refusal that is reported is one to look at.
const ACTIVE = 'script, link, meta, base, object, embed, iframe, frame, audio, video, source, track, template';
const LOADS = ['src', 'srcset', 'background', 'poster', 'data', 'xlink:href'];

/** A handler is refused, and reported, where it is parsed, even in a template: it gets another name before. */
const HANDLER = /([\s"'/])on(?=[a-z]+\s*=)/gi;

const withoutLoads = (css) => css.replaceAll(/url\s*\(|@import/gi, 'none(');

function harmless(html) {
  // What stands in a template belongs to no window: nothing of it runs or is loaded.
  const template = document.createElement('template');
  template.innerHTML = html.replaceAll(/<[a-z][^<>]*>/gi, (tag) => tag.replaceAll(HANDLER, '$1data-on'));
  const parsed = template.content;
  for (const element of parsed.querySelectorAll(ACTIVE)) element.remove();
  for (const style of parsed.querySelectorAll('style')) style.textContent = withoutLoads(style.textContent);
  for (const element of parsed.querySelectorAll('*')) {
    for (const { name, value } of [...element.attributes]) {
      const loads = LOADS.includes(name) && !/^data:image\//i.test(value);
      if (name.startsWith('on') || loads) element.removeAttribute(name);
      if (name === 'style') element.setAttribute(name, withoutLoads(value));
      if (loads) element.setAttribute('title', `not loaded here: ${value}`);
    }
  }
  return parsed;
}

/** Of what is shown, not of the frame: the frame is as high as the text before it. */
const heightOf = ({ documentElement: root, body }) => {
  const { marginTop, marginBottom } = getComputedStyle(body);
  const around = Number.parseFloat(marginTop) + Number.parseFloat(marginBottom);
  return Math.max(root.offsetHeight, body.scrollHeight + around);
};

addEventListener('message', (event) => {
  if (event.source !== parent) return;
  const { contentType, body, theme } = event.data;
  // Where it is that of the frame's element, what stands behind the frame is seen through it.
  document.documentElement.style.colorScheme = contentType === 'text/html' || theme !== 'dark' ? 'light' : 'dark';
  if (contentType === 'text/html') document.body.replaceChildren(harmless(body));
  else {
    const text = document.createElement('pre');
    text.style.whiteSpace = 'pre-wrap';
    text.style.overflowWrap = 'anywhere';
    text.style.font = '14px/1.5 system-ui, sans-serif';
    text.dir = 'auto';
    text.textContent = body;
    document.body.replaceChildren(text);
  }
  parent.postMessage({ frame: 'volley-message', height: heightOf(document) }, '*');
});
// A link would take the frame away from the message.
addEventListener('click', (event) => {
  if (event.target instanceof Element && event.target.closest('a, area')) event.preventDefault();
});
addEventListener('submit', (event) => event.preventDefault());
parent.postMessage({ frame: 'volley-message', ready: true }, '*');
