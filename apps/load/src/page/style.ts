/** Light and dark by what the reader's system says; no font, picture or script from anywhere else. */
export const STYLE = `
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--line:#e3e6ec;--text:#171a21;--soft:#5d6675;--faint:#eef0f4;
--a:#2563c9;--b:#0d8f8a;--c:#c77700;--d:#c8323f;--e:#7048c6;--f:#7b8494;--good:#157a3d;--bad:#b3261e;--warn:#8a5a00}
@media(prefers-color-scheme:dark){:root{--page:#0e1116;--card:#161a21;--line:#2a303b;--text:#e6e9ef;--soft:#98a1b0;--faint:#1e232c;
--a:#6ea3f5;--b:#3cc2b8;--c:#e9a23b;--d:#f0717b;--e:#ad8df0;--f:#8f98a8;--good:#58c983;--bad:#f28b82;--warn:#e2b04a}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1240px;margin:0 auto;padding:28px 20px 48px}
header{display:flex;flex-wrap:wrap;gap:8px 20px;align-items:baseline;justify-content:space-between;margin-bottom:18px}
h1{font-size:24px;line-height:1.25;margin:0;font-weight:650;letter-spacing:-.01em}
h2{font-size:16px;margin:32px 0 12px;font-weight:650}
h3{font-size:14px;margin:0;font-weight:650}
p{margin:0}.note,.sub{color:var(--soft);font-size:13px}
.badge{display:inline-block;padding:4px 12px;border-radius:999px;font-weight:650;font-size:14px;border:1px solid currentColor}
.met{color:var(--good)}.missed{color:var(--bad)}.unknown{color:var(--warn)}
.why{margin:0 0 18px;padding:10px 14px;border-left:3px solid currentColor;background:var(--card);border-radius:0 8px 8px 0}
.why li{color:var(--text)}.why ul{margin:0;padding-left:18px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:0 0 20px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tile dt{color:var(--soft);font-size:12.5px}.tile dd{margin:2px 0 0;font-size:23px;font-weight:650;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.tile dd small{display:block;font-size:12.5px;font-weight:400;color:var(--soft);letter-spacing:0}
.grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:16px}
.wide{grid-column:1/-1}.stack{display:grid;gap:16px;align-content:start;min-width:0}
.card{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;min-width:0}
figcaption{margin-bottom:8px}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 16px;margin:6px 0 0;padding:0;font-size:12.5px;color:var(--soft)}
.legend li{display:flex;align-items:center;gap:6px}
.key{width:16px;height:3px;border-radius:2px;background:var(--s)}.key.dashed{background:repeating-linear-gradient(90deg,var(--s) 0 5px,transparent 5px 8px)}
.s-a{--s:var(--a)}.s-b{--s:var(--b)}.s-c{--s:var(--c)}.s-d{--s:var(--d)}.s-e{--s:var(--e)}.s-f{--s:var(--f)}
.plot{position:relative}svg{display:block;width:100%;height:auto;overflow:visible}
.grid{stroke:var(--line);stroke-width:1}.tick{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
.line{fill:none;stroke:var(--s);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.line.dashed{stroke-dasharray:5 4;stroke-width:1.75}
.area{fill:var(--s);opacity:.12}.bar{fill:var(--s)}.mark{stroke:var(--text);stroke-width:1;stroke-dasharray:2 2;opacity:.55}
.band{fill:var(--faint)}.band-name{fill:var(--soft);font-size:10.5px}.row-name{fill:var(--text);font-size:12px;font-weight:600}
.hair{stroke:var(--soft);stroke-width:1}
.tip{position:absolute;top:4px;pointer-events:none;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:6px 10px;font-size:12px;box-shadow:0 4px 14px rgba(0,0,0,.14);white-space:nowrap;z-index:1;font-variant-numeric:tabular-nums}
.tip b{font-weight:650}.tip span{display:flex;gap:8px;align-items:center;justify-content:space-between}.tip i{font-style:normal;color:var(--soft)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600;color:var(--soft);font-size:12.5px;border-bottom:1px solid var(--line);padding:6px 14px 6px 0;white-space:nowrap}
td{border-bottom:1px solid var(--line);padding:7px 14px 7px 0;vertical-align:top}tr:last-child td{border-bottom:0}
th.n,td.n{text-align:right;padding-right:0;padding-left:16px;white-space:nowrap}td.wrap{white-space:normal}td.t,th.t{text-align:left}
code{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.bars{list-style:none;margin:4px 0 0;padding:0;display:grid;gap:8px}
.bars li{display:grid;grid-template-columns:100px 1fr max-content;gap:12px;align-items:center;font-size:13px}
.track{background:var(--faint);border-radius:4px;height:12px;overflow:hidden}.fill{display:block;height:100%;background:var(--s);border-radius:4px}
.bar-text{text-align:right;min-width:170px;color:var(--soft);font-variant-numeric:tabular-nums}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px;margin:0;font-size:13.5px}.facts dt{color:var(--soft)}.facts dd{margin:0;min-width:0}
@media print{body{background:#fff}.card,.tile{break-inside:avoid}}
`;

/** A cross hair that reads the lines below the pointer. Without scripts the page only lacks this. */
export const SCRIPT = `
for(const svg of document.querySelectorAll('svg[data-read]')){
const {x,series}=JSON.parse(svg.dataset.read),hair=svg.querySelector('.hair'),tip=document.createElement('div');
tip.className='tip';tip.hidden=true;svg.parentNode.append(tip);
const row=(a,b,tone)=>{const s=document.createElement('span'),n=document.createElement('i'),v=document.createElement('b');
if(tone){const k=document.createElement('i');k.className='key s-'+tone;s.append(k)}n.textContent=a;n.style.flex='1';v.textContent=b;s.append(n,v);return s};
svg.addEventListener('pointermove',e=>{const r=svg.getBoundingClientRect(),w=svg.viewBox.baseVal.width,px=(e.clientX-r.left)/r.width*w;
const at=x[2]+(x[3]-x[2])*(px-x[0])/(x[1]-x[0]);
let near;for(const s of series)for(const p of s.points)if(near===undefined||Math.abs(p[0]-at)<Math.abs(near-at))near=p[0];
if(near===undefined)return;
const rows=[row('at',near.toFixed(1)+' s')];
for(const s of series){let best;for(const p of s.points)if(best===undefined||Math.abs(p[0]-near)<Math.abs(best[0]-near))best=p;
if(best&&best[1]!==null)rows.push(row(s.name,best[1],s.tone))}
tip.replaceChildren(...rows);tip.hidden=false;
const hx=x[0]+(x[1]-x[0])*(near-x[2])/(x[3]-x[2]);hair.setAttribute('x1',hx);hair.setAttribute('x2',hx);hair.setAttribute('visibility','visible');
const left=hx/w*r.width;tip.style.left=(left>r.width/2?left-tip.offsetWidth-12:left+12)+'px'});
svg.addEventListener('pointerleave',()=>{tip.hidden=true;hair.setAttribute('visibility','hidden')})}
`;
