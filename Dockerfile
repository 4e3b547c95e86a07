# One image for ingest-api, dispatcher, sink and the set-up. TypeScript runs as written; only the console's pages are built.
FROM node:24.21.0-slim AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/contract/package.json packages/contract/
COPY packages/runtime/package.json packages/runtime/
COPY packages/stream/package.json packages/stream/
COPY services/dispatcher/package.json services/dispatcher/
COPY services/ingest-api/package.json services/ingest-api/
COPY services/sink/package.json services/sink/
COPY apps/cli/package.json apps/cli/
COPY apps/console/package.json apps/console/
COPY apps/load/package.json apps/load/
COPY apps/local-stack/package.json apps/local-stack/

FROM manifests AS console
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY packages/contract packages/contract
COPY apps/console apps/console
RUN node apps/console/bin/build.ts /app/console

FROM manifests AS services
# The optional packages, and the only ones with scripts, bring a Postgres for machines without Docker: not used in here.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24.21.0-slim
WORKDIR /app
# node_modules/@volley holds links to the folders below. They must stay links: Node strips no types from a file whose
# real path lies in node_modules.
COPY --from=services /app ./
COPY packages packages
COPY services services
COPY apps apps
COPY --from=console /app/console console
COPY schemas schemas
COPY deploy deploy
USER node
CMD ["node", "--version"]
