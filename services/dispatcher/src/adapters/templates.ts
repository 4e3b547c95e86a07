import type { Message } from '@volley/contract';
import { type CompiledTemplate, compileTemplate, templateVars } from '@volley/contract/render';
import { LRUCache } from 'lru-cache';
import type { CampaignState, Renderer, RenderResult } from '../ports.ts';

/** Of running campaigns a process seldom handles more at a time; a compiled template is a few times its text. */
const MAX_TEMPLATES = 1_000;
const MAX_TEMPLATE_CHARS_HELD = 16 * 1024 * 1024;

type Compiled =
  | { readonly ok: true; readonly template: string; readonly subject: string; readonly compiled: CompiledTemplate }
  | { readonly ok: false; readonly template: string; readonly subject: string; readonly detail: string };

export function createRenderer(): Renderer {
  const cache = new LRUCache<string, Compiled>({
    max: MAX_TEMPLATES,
    maxSize: MAX_TEMPLATE_CHARS_HELD,
    sizeCalculation: (c) => c.template.length + c.subject.length + 1,
  });

  const compiledOf = (campaign: CampaignState): Compiled => {
    const { template, subject } = campaign;
    const cached = cache.get(campaign.campaignId);
    // A draft that was changed has the same id: the texts decide, not the version, which pause and resume raise too.
    if (cached !== undefined && cached.template === template && cached.subject === subject) return cached;
    const result = compileTemplate({ template, subject, contentType: campaign.contentType });
    const entry: Compiled = result.ok
      ? { ok: true, template, subject, compiled: result.compiled }
      : { ok: false, template, subject, detail: result.errors.map((e) => `${e.field}: ${e.message}`).join('; ') };
    cache.set(campaign.campaignId, entry);
    return entry;
  };

  const failed = (detail: string): RenderResult => ({ ok: false, reason: 'render_failed', detail });

  return {
    render(campaign, message: Message) {
      const entry = compiledOf(campaign);
      if (!entry.ok) return failed(entry.detail);
      let vars: Record<string, unknown>;
      try {
        const parsed: unknown = JSON.parse(message.vars);
        if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
          return failed('vars is not an object');
        vars = parsed as Record<string, unknown>;
      } catch {
        return failed('vars is not JSON');
      }
      const rendered = entry.compiled.render(templateVars(vars, message.recipient, message.tags));
      if (!rendered.ok) return rendered;
      const { subject, body } = rendered.texts;
      return {
        ok: true,
        texts: { subject, body, recipientName: typeof vars.name === 'string' ? vars.name : '' },
      };
    },
    forget: (campaignId) => void cache.delete(campaignId),
  };
}
