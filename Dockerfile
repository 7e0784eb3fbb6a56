# Concord, run as a user without rights. Node.js runs the TypeScript sources as they stand: nothing is built.
FROM node:24.21.0-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24.21.0-slim
ENV NODE_ENV=production \
    CONCORD_LISTEN=0.0.0.0:8090 \
    CONCORD_DATA_DIR=/var/lib/concord
WORKDIR /app
RUN mkdir -p /var/lib/concord && chown node:node /var/lib/concord
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY gen ./gen
COPY src ./src
USER node
VOLUME /var/lib/concord
EXPOSE 8090
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8090/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
CMD ["node", "--max-semi-space-size=8", "src/main.js"]
