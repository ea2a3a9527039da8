/** The dependency rule and the one-door rule (docs/architecture.md §3), as checks. */

const ours = '^(protocol|client|services|pki|provisioning|appliance|tests|bench)/';
const test = '(\\.test\\.ts$|/testing/)';

/** Files below `from` may import of our own code only what matches one of `to`. */
const only = (name, from, to) => ({
  name,
  severity: 'error',
  from: { path: from, pathNot: test },
  to: { path: ours, pathNot: ['/node_modules/', ...to] },
});

/** What the programs on the box are put together from. */
const box = [
  '^appliance/',
  '^services/[^/]+/(service|contract)\\.ts$',
  '^services/kit/',
  '^provisioning/',
  '^protocol/',
];

/** `library` is imported by the files of `door` alone. */
const door = (library, doors, name = library) => ({
  name: `one-door-${name}`,
  severity: 'error',
  from: { path: ours, pathNot: [...doors, test, '^bench/', '^tests/'] },
  to: { path: `(^|/)node_modules/${library}/`, dependencyTypesNot: ['type-only'] },
});

module.exports = {
  forbidden: [
    only('protocol-is-pure', '^protocol/', ['^protocol/']),
    {
      name: 'protocol-runs-in-browsers',
      severity: 'error',
      // backend-node names node:crypto as a type only: it asks the host for it at run time.
      from: {
        path: '^protocol/',
        pathNot: [test, '^protocol/vectors/', '^protocol/crypto/backend-node\\.ts$'],
      },
      to: { dependencyTypes: ['core'] },
    },
    only('client', '^client/', ['^client/', '^protocol/']),
    {
      name: 'sdk-without-terminal',
      severity: 'error',
      from: { path: '^client/', pathNot: [test, '^client/(terminal|bin)/'] },
      to: { path: '^client/terminal/' },
    },
    only('pki-stands-alone', '^pki/', ['^pki/']),
    only('kit', '^services/kit/', ['^services/kit/', '^protocol/']),
    ...[
      'accounts',
      'archive',
      'delivery',
      'directory',
      'gateway',
      'media',
      'spaces',
      'witness',
    ].map((service) =>
      only(`service-${service}`, `^services/${service}/`, [
        `^services/${service}/`,
        '^services/kit/',
        '^services/[^/]+/contract\\.ts$',
        '^protocol/',
      ]),
    ),
    ...['control', 'pkid'].map((service) =>
      only(`service-${service}`, `^services/${service}/`, [
        `^services/${service}/`,
        '^services/kit/',
        '^services/[^/]+/contract\\.ts$',
        '^protocol/',
        '^pki/',
      ]),
    ),
    only('provisioning', '^provisioning/', [
      '^provisioning/',
      '^pki/',
      '^services/kit/',
      '^services/[^/]+/contract\\.ts$',
      '^protocol/',
    ]),
    {
      name: 'appliance',
      severity: 'error',
      from: { path: '^appliance/', pathNot: [test, '^appliance/verify/'] },
      to: { path: ours, pathNot: ['/node_modules/', ...box] },
    },
    // It attacks a running island from outside, as a client and as a forger of certificates.
    only('verify', '^appliance/verify/', [...box, '^client/', '^pki/']),
    {
      name: 'nobody-imports-tests',
      severity: 'error',
      from: { pathNot: [test, '^tests/', '^bench/'] },
      to: { path: [test, '^tests/', '^bench/'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    door('@nats-io/[^/]+', ['^services/kit/bus'], 'nats'),
    door('redis', ['^services/kit/cache']),
    door('sqlite3', ['^services/kit/store']),
    door('drizzle-orm', ['^services/kit/store', '^services/(?!kit/)[^/]+/'], 'drizzle'),
    door('koa', ['^services/kit/http']),
    door('ws', ['^services/gateway/sockets']),
    door('node-forge', ['^pki/']),
    door('(@noble|libsodium-wrappers-sumo)', ['^protocol/crypto/'], 'noble-sodium'),
    door('openid-client', ['^services/accounts/admission/organisation']),
    door('pino', ['^services/kit/log']),
    door('undici', ['^client/transport']),
    door('@jimp', ['^client/attachments/preview-worker'], 'jimp'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
