import { useState } from 'react';

/** Forward by the API's own cursors, back by those that were used. `cursor` undefined: the first page. */
export function usePages() {
  const [trail, setTrail] = useState<readonly string[]>([]);
  return {
    cursor: trail.at(-1),
    previous: trail.length > 0 ? () => setTrail((now) => now.slice(0, -1)) : undefined,
    first: () => setTrail([]),
    next: (cursor: string) => setTrail((now) => [...now, cursor]),
  };
}
