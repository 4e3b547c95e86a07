#!/usr/bin/env node
// `npx volley …`: the same door as npm start, npm run demo and npm test.
await import('../../../scripts/volley.mjs');
