import type { Contact } from './api-client.ts';

/**
 * `count` people with this tag and addresses of their own. `script` is what the simulated provider does to the n-th
 * (from 1): a word after the plus of the address, see the dispatcher's README.
 */
export function people(tag: string, count: number, script: (n: number) => string = () => ''): Contact[] {
  return Array.from({ length: count }, (_, i) => {
    const does = script(i + 1);
    const email = `p${i + 1}.${tag}${does === '' ? '' : `+${does}`}@example.org`;
    return { email, name: `Person ${i + 1}`, tags: [tag], city: 'Łódź' };
  });
}
