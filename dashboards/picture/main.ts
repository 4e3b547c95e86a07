/**
 * Draws the dashboards as SVG from the results of their own queries: `node dashboards/picture/main.ts --clickhouse
 * http://…/?database=D --prometheus http://… --from T --to T --campaign ID [--interval S]`. It is no Grafana: it shows that the
 * queries say what the panels should, not what Grafana makes of them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ALL, type Viewed } from '../../test/dashboards/macros.ts';
import { type DashboardJson, dashboards } from '../../test/dashboards/read.ts';
import { framesOf, regionsOf } from './frames.ts';
import { drawPanel } from './panels.ts';
import { COLORS, element, label, rect } from './svg.ts';

const { values } = parseArgs({
  options: {
    clickhouse: { type: 'string' },
    prometheus: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    campaign: { type: 'string' },
    interval: { type: 'string', default: '60' },
  },
});
const { clickhouse, prometheus, from, to, campaign } = values;
if (!clickhouse || !prometheus || !from || !to || !campaign)
  throw new Error('--clickhouse, --prometheus, --from, --to and --campaign are needed');

const FOLDER = join(import.meta.dirname, '../../docs/images');
const COLUMN = 50;
const LINE = 36;
const MARGIN = 6;

const viewed = (chosen: string): Viewed => ({
  fromMs: Date.parse(from),
  toMs: Date.parse(to),
  intervalMs: Number(values.interval) * 1_000,
  variables: { tenant: ALL, campaign: chosen, channel: ALL, provider: ALL },
});

async function draw(dashboard: DashboardJson, seen: Viewed): Promise<string> {
  const sources = { clickhouse: clickhouse as string, prometheus: prometheus as string };
  const regions = await Promise.all(
    dashboard.annotations.list.map(({ target }) => regionsOf(target, sources.clickhouse, seen)),
  );
  const parts = await Promise.all(
    dashboard.panels.map(async (panel) => {
      const { x, y, w, h } = panel.gridPos;
      const place = { x: x * COLUMN + MARGIN / 2, y: y * LINE, w: w * COLUMN - MARGIN, h: h * LINE - MARGIN };
      if (panel.type === 'row')
        return label(place.x, place.y + 22, panel.title, { fill: COLORS.text, 'font-size': 14 });
      return drawPanel(panel, place, await framesOf(panel, sources, seen), seen, regions.flat());
    }),
  );
  const width = 24 * COLUMN;
  const height = Math.max(...dashboard.panels.map((p) => p.gridPos.y + p.gridPos.h)) * LINE;
  const size = { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${height}`, 'font-family': 'sans-serif' };
  const title = element('title', {}, dashboard.title);
  return `${element('svg', size, title + rect(0, 0, width, height, COLORS.page) + parts.join('\n'))}\n`;
}

mkdirSync(FOLDER, { recursive: true });
for (const [name, dashboard] of Object.entries(dashboards)) {
  const svg = await draw(dashboard, viewed(name === 'campaign' ? campaign : ALL));
  writeFileSync(join(FOLDER, `dashboard-${name}.svg`), svg);
  process.stdout.write(`dashboard-${name}.svg: ${Math.round(svg.length / 1024)} KiB\n`);
}
