// Environments, versions with consent, variables, what may leave: the platform around an app's functions.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import type { JsonValue } from 'partywall'
import { createBench, createCustomer } from '../../support/forge-bench.ts'
import { forgePackages, updateForgeApp, writeForgeApp } from '../../support/forge-packages.ts'
import { createForgeWorld, manifestOf } from '../../support/forge-world.ts'

const { folder: packages, skip } = await forgePackages('8.3')

const requests: { url: string | undefined; headers: Record<string, unknown> }[] = []
const outside = createServer((request, response) => {
  requests.push({ url: request.url, headers: request.headers })
  const { searchParams } = new URL(request.url ?? '/', 'http://outside')
  const to = searchParams.get('to')
  if (to !== null) response.writeHead(Number(searchParams.get('status') ?? 302), { location: to }).end()
  else response.end(`${request.method} reached`)
})
await new Promise<void>(resolve => outside.listen(0, '127.0.0.1', resolve))
after(() => outside.close())
const outsideHost = `127.0.0.1:${(outside.address() as AddressInfo).port}`

test('environments have versions, variables, storage and installations of their own', skip, async t => {
  const bench = await createBench(t, packages)
  const staging = await bench.world.forge({ folder: bench.folder, environment: 'staging' })
  const custom = await bench.world.forge({ folder: bench.folder, environment: 'feature-1' })
  await bench.app.variables.set('LEVEL', 'of development')
  await staging.variables.set('LEVEL', 'of staging')
  const facts = `const { environmentType, environmentAri, appVersion } = sdk.getAppContext(); return [environmentType, environmentAri.toString(), appVersion, process.env.LEVEL ?? null, (await sdk.kvs.get('k')) ?? null]`
  const seen: JsonValue[][] = []
  for (const [app, value] of [
    [bench.app, 'd'],
    [staging, 's'],
    [custom, 'c'],
  ] as const) {
    const customer = await createCustomer(bench.world, app, `${app.environment}-site`)
    await customer.run(`await sdk.kvs.set('k', payload)`, value)
    seen.push(await customer.run<JsonValue[]>(facts))
    assert.equal((await app.installations()).length, 1)
  }
  assert.deepEqual(
    seen.map(([type]) => type),
    ['DEVELOPMENT', 'STAGING', 'DEVELOPMENT'],
  )
  assert.equal(new Set(seen.map(([, ari]) => ari)).size, 3)
  assert.deepEqual(
    seen.map(([, , , level, stored]) => [level, stored]),
    [
      ['of development', 'd'],
      ['of staging', 's'],
      [null, 'c'],
    ],
  )
  await assert.rejects(bench.world.forge({ folder: bench.folder, environment: 'No Good' }), {
    code: 'ERR_FORGE_ENVIRONMENT_INVALID',
  })
  await assert.rejects(bench.world.forge({ folder: bench.folder, environment: 'staging' }), TypeError)
})

test(
  'variables arrive with the next call, encrypted ones are in no list and lie sealed, the host’s own never arrive',
  skip,
  async t => {
    process.env.PW_TEST_HOST = 'of the host'
    t.after(() => delete process.env.PW_TEST_HOST)
    const bench = await createBench(t, packages)
    const one = await bench.customer('one')
    const read = () =>
      one.run<(string | null)[]>(
        `return ['PLAIN', 'TOKEN', 'PW_TEST_HOST', 'HOME', 'PATH', 'DATABASE_URL'].map(name => process.env[name] ?? null)`,
      )
    assert.deepEqual(await read(), [null, null, null, null, null, null])
    await bench.app.variables.set('PLAIN', 'a')
    await bench.app.variables.set('TOKEN', 'very-secret-3f9', { encrypt: true })
    assert.deepEqual((await read()).slice(0, 2), ['a', 'very-secret-3f9'])
    assert.deepEqual(await bench.app.variables.list(), [
      { name: 'PLAIN', isEncrypted: false, value: 'a' },
      { name: 'TOKEN', isEncrypted: true, value: undefined },
    ])
    await bench.app.variables.unset('PLAIN')
    assert.deepEqual((await read()).slice(0, 2), [null, 'very-secret-3f9'])
    const tables = ['pw.secret', 'pw.identity', 'pw.audit']
    for (const table of tables) {
      const rows = await bench.world.database.admin(`select row_to_json(one)::text as text from ${table} one`)
      assert.ok(
        rows.every(({ text }) => !String(text).includes('very-secret-3f9')),
        table,
      )
    }
    await assert.rejects(bench.app.variables.set('no good', 'x'), { code: 'ERR_FORGE_VARIABLE_INVALID' })
    await assert.rejects(bench.app.variables.set('BIG', 'x'.repeat(65 * 1024)), { code: 'ERR_FORGE_VARIABLE_INVALID' })
  },
)

test(
  'a minor version reaches every installation at once, a major one each when its administrator agrees',
  skip,
  async t => {
    const bench = await createBench(t, packages)
    const one = await bench.customer('one')
    const other = await bench.customer('other')
    assert.equal((await bench.app.deploy()).kind, 'none')
    const source = bench.files['src/index.js'] ?? ''
    await updateForgeApp(bench.folder, { 'src/index.js': source.replace("'run'", "'run2'") })
    const minor = await bench.app.deploy()
    assert.deepEqual([minor.kind, minor.version], ['minor', '1.1.0'])
    assert.deepEqual([await one.installation.version(), await other.installation.version()], ['1.1.0', '1.1.0'])
    const run2 = (installation: typeof one.installation) => installation.invoke('run2', { code: 'return 2' })
    assert.deepEqual([await run2(one.installation), await run2(other.installation)], [2, 2])

    await updateForgeApp(bench.folder, {
      'manifest.yml': bench.files['manifest.yml'].replace('"read:jira-work"', '"read:jira-work","manage:jira-project"'),
      'src/index.js': source.replace("'run'", "'run3'"),
    })
    const major = await bench.app.deploy()
    assert.deepEqual([major.kind, major.version], ['major', '2.0.0'])
    assert.deepEqual(major.reasons, ['scope manage:jira-project is new'])
    assert.equal(await one.installation.version(), '1.1.0')
    assert.equal(await run2(one.installation), 2)
    assert.equal(await one.installation.upgrade({ accountId: 'admin' }), '2.0.0')
    assert.equal(await one.installation.invoke('run3', { code: 'return 3' }), 3)
    // The other one still has what it agreed to, and its storage.
    assert.equal(await run2(other.installation), 2)
    assert.equal(await other.installation.version(), '1.1.0')
    const fresh = await bench.customer('fresh')
    assert.equal(await fresh.installation.version(), '2.0.0')
  },
)

test('a broken deployment changes nothing: the version of before goes on', skip, async t => {
  const bench = await createBench(t, packages)
  const one = await bench.customer('one')
  for (const [files, code] of [
    [{ 'src/index.js': 'this is no code' }, 'ERR_FORGE_BUNDLE'],
    [{ 'src/index.js': `throw new Error('at load')` }, 'ERR_SANDBOX_LOAD'],
    [{ 'src/index.js': `import '@forge/not-installed'` }, 'ERR_FORGE_BUNDLE'],
    [{ 'src/index.js': 'export const x = 1', 'manifest.yml': 'app: [' }, 'ERR_FORGE_MANIFEST'],
  ] as const) {
    await updateForgeApp(bench.folder, files)
    await assert.rejects(bench.app.deploy(), { code })
    assert.equal(await one.run('return 1'), 1)
    assert.equal(await one.installation.version(), '1.0.0')
  }
})

test('a manifest’s problems come all at once, with their places; unknown modules are warnings', skip, async t => {
  const world = await createForgeWorld(t)
  const folder = await writeForgeApp(packages, {
    'manifest.yml': manifestOf(`modules:
  function:
    - key: one
      handler: index
    - key: one
      handler: index.b
  scheduledTrigger:
    - key: s
      function: missing
      interval: minute
`),
  })
  const problems = async (...places: readonly RegExp[]) =>
    assert.rejects(world.forge({ folder }), (error: { code: string; message: string }) => {
      assert.equal(error.code, 'ERR_FORGE_MANIFEST')
      for (const place of places) assert.match(error.message, place)
      return true
    })
  await problems(/manifest\.yml:9:7 .*handler/, /manifest\.yml:15:7 .*interval/)
  await updateForgeApp(folder, {
    'manifest.yml': manifestOf(`modules:
  function:
    - key: one
      handler: index.a
    - key: one
      handler: index.b
  scheduledTrigger:
    - key: s
      function: missing
      interval: hour
`),
  })
  await problems(/manifest\.yml:10:\d+ .*one/, /manifest\.yml:14:\d+ .*missing/)
  await updateForgeApp(folder, {
    'manifest.yml': manifestOf(`modules:
  brandNew:thing:
    - key: thing
  sql:
    - key: main
      engine: mysql
  function:
    - key: one
      handler: index.one
`),
    'src/index.js': 'export const one = () => 1',
  })
  const app = await world.forge({ folder })
  assert.match(app.deployment.warnings.join('\n'), /manifest\.yml:\d+:\d+ .*brandNew:thing/)
  assert.match(app.deployment.warnings.join('\n'), /sql/)
  const installation = await app.install({ url: 'https://one.example.com' })
  assert.equal(await installation.call('one', {}), 1)
})

test('what is not simulated answers one coded line, at once', skip, async t => {
  const bench = await createBench(t, packages)
  const one = await bench.customer('one')
  const calls = {
    sql: `return (await globalThis.__forge_fetch__({ type: 'sql', provider: 'app', remote: 'sql' }, '/api/v1/execute', { method: 'POST', body: '{}' })).text()`,
    objectStore: `return (await globalThis.__forge_fetch__({ type: 'os', provider: 'app', remote: 'os' }, 'api/v1/metadata', { method: 'POST', body: '{}' })).text()`,
    realtime: `return (await globalThis.__forge_fetch__({ type: 'realtime' }, '/', { method: 'POST', body: '{}' })).text()`,
    llm: `return (await globalThis.__forge_fetch__({ type: 'llm' }, 'https://llm')).text()`,
    emails: `return (await globalThis.__forge_fetch__({ type: 'emails' }, '/emails', { method: 'POST', body: 'x' })).text()`,
    'services (containers)': `return (await globalThis.__forge_fetch__({ type: 'fcc', service: 's' }, '/x')).text()`,
    'remotes (invokeRemote)': `return sdk.invokeRemote('r', { path: '/x', method: 'GET' }).then(() => 'answered', error => error.name + ' ' + error.message + ' ERR_FORGE_NOT_SIMULATED: remotes (invokeRemote)')`,
  }
  for (const [name, code] of Object.entries(calls)) {
    assert.match(
      String(await one.run(code)),
      new RegExp(`ERR_FORGE_NOT_SIMULATED: ${name.replace(/[()]/g, '\\$&')}`),
      name,
    )
    assert.ok(
      bench.world.log.some(({ event, fields }) => event === 'forge-not-simulated' && fields.module === name),
      name,
    )
  }
})

test(
  'G 72: the box holds no credential: what calls a product is put in outside, and what the app sends of its own is left out',
  skip,
  async t => {
    const seen: (string | undefined)[] = []
    const bench = await createBench(t, packages, {
      product: {
        credentials: ({ as }) =>
          as.kind === 'app' ? 'Bearer real-credential-of-app' : `Bearer real-credential-of-${as.accountId}`,
      },
      world: { hosts: [outsideHost] },
    })
    const installation = await bench.app.install({ url: `http://${outsideHost}` })
    const run = (code: string, accountId = 'ada') => installation.invoke('run', { code }, { accountId })
    requests.length = 0
    await run(
      `const { api, route } = sdk; await api.asApp().requestJira(route\`/rest/api/3/issue/A-1\`, { headers: { Authorization: 'Bearer forged', Cookie: 'a=b', 'X-Kept': 'kept' } }); await api.asUser().requestJira(route\`/rest/api/3/myself\`)`,
    )
    seen.push(...requests.map(({ headers }) => String(headers.authorization)))
    assert.deepEqual(seen, ['Bearer real-credential-of-app', 'Bearer real-credential-of-ada'])
    assert.deepEqual([requests[0]?.headers.cookie, requests[0]?.headers['x-kept']], [undefined, 'kept'])
    const everything = await run(`
    const seen = []
    const walk = (value, depth) => { if (typeof value === 'string') seen.push(value); else if (value && typeof value === 'object' && depth < 6) for (const key of Object.getOwnPropertyNames(value)) { try { walk(value[key], depth + 1) } catch {} } }
    walk(globalThis.__forge_runtime__, 0); walk(process.env, 0); walk(process.argv, 0); walk(context, 0)
    return seen.join(' ')`)
    assert.doesNotMatch(String(everything), /real-credential/)
    // Answers do not bring one in either.
    assert.doesNotMatch(
      String(
        await run(
          `return JSON.stringify([...(await sdk.api.asApp().requestJira(sdk.route\`/rest/api/3/x\`)).headers])`,
        ),
      ),
      /real-credential/,
    )
  },
)

test(
  'acting as a person: the one of the call, nobody without one, another only where the manifest says so',
  skip,
  async t => {
    const bench = await createBench(t, packages)
    const one = await bench.customer('one')
    const other = one.site.createUser({ displayName: 'Grace' })
    const name = `return (await sdk.api.asUser(payload ?? undefined).requestJira(sdk.route\`/rest/api/3/myself\`)).json().then(body => body.displayName)`
    const attempt = (value: JsonValue, options?: { accountId?: string }) =>
      one
        .run(name, value, options)
        .then(
          String,
          (error: { details?: { name?: string; message?: string } }) =>
            `${error.details?.name} ${error.details?.message}`,
        )
    assert.equal(await attempt(null), 'Ada of one')
    assert.match(await attempt(null, {}), /NEEDS_AUTHENTICATION_ERR/)
    assert.match(await attempt(null, { accountId: 'nobody-here' }), /NEEDS_AUTHENTICATION_ERR/)
    assert.match(await attempt(other.accountId), /PRODUCT_REQUEST_REFUSED|PROXY_ERR/)
    await updateForgeApp(bench.folder, {
      'manifest.yml': bench.files['manifest.yml'].replace(
        /scopes: .*/,
        `scopes:
    'storage:app': {}
    'read:jira-work': {}
    'read:jira-user': { allowImpersonation: true }`,
      ),
    })
    await bench.app.deploy()
    await one.installation.upgrade()
    assert.equal(await attempt(other.accountId), 'Grace')
  },
)

test(
  'scopes are enforced, paths stay below the site, and a place that is not the installation’s is refused',
  skip,
  async t => {
    const bench = await createBench(t, packages, { scopes: ['read:jira-work', 'storage:app'] })
    const one = await bench.customer('one')
    const other = await bench.customer('other')
    const status = (method: string, path: string, meta = `{ type: 'fpp', provider: 'app', remote: 'jira' }`) =>
      one.run(
        `const answer = await globalThis.__forge_fetch__(${meta}, payload, { method: '${method}', ...(['POST', 'PUT'].includes('${method}') ? { body: '{}' } : {}) }); return [answer.status, answer.headers.get('forge-proxy-error')]`,
        path,
      )
    const issue = `/rest/api/3/issue/${one.issueKey}`
    assert.deepEqual(await status('GET', issue), [200, null])
    assert.deepEqual(await status('PUT', issue), [401, null])
    assert.deepEqual(await status('DELETE', issue), [401, null])
    assert.deepEqual(await status('POST', '/rest/api/3/search/jql'), [200, null])
    assert.deepEqual(
      await status('GET', '/wiki/rest/api/content', `{ type: 'fpp', provider: 'app', remote: 'confluence' }`),
      [401, null],
    )
    for (const path of [
      '//evil.example.com/x',
      '/../other/rest/api/3/issue/CAR-1',
      '/rest/%2e%2e/%2e%2e/other/rest/api/3/issue/CAR-1',
      '/rest\\..\\x',
      'https://evil.example.com/',
      '/rest/api/3/issue/a b',
      '@evil.example.com/',
    ]) {
      const [code, refusal] = (await status('GET', path)) as [number, string | null]
      assert.ok(refusal === 'PRODUCT_REQUEST_REFUSED' || code === 404, `${path}: ${code} ${refusal}`)
    }
    const theirs = `{ type: 'fpp', provider: 'app', contextAri: '${other.installation.site.contextAri}' }`
    assert.deepEqual(await status('GET', issue, theirs), [403, 'PRODUCT_REQUEST_REFUSED'])
    const own = `{ type: 'fpp', provider: 'app', contextAri: '${one.installation.site.contextAri}' }`
    assert.deepEqual(await status('GET', issue, own), [200, null])
  },
)

test('recorded answers play without a product; what was not recorded is told', skip, async t => {
  const file = `${packages}/apps/recording-${process.pid}.json`
  const bench = await createBench(t, packages)
  const { world, folder } = bench
  const recording = await world.forge({
    folder,
    environment: 'recording',
    product: { credentials: world.host.forgeCredentials, record: file },
  })
  const one = await createCustomer(world, recording, 'one')
  const code = `return (await sdk.api.asApp().requestJira(sdk.route\`/rest/api/3/issue/\${payload}?fields=summary\`)).json().then(body => body.fields.summary)`
  assert.equal(await one.run(code, one.issueKey), 'brakes of one')
  const replaying = await world.forge({ folder, environment: 'replaying', product: { replay: file } })
  const nowhere = await replaying.install({ url: 'https://nowhere.example.com' })
  const replay = (value: string) => nowhere.invoke('run', { code, value }, { accountId: 'ada' })
  assert.equal(await replay(one.issueKey), 'brakes of one')
  await assert.rejects(replay('CAR-77'), /ERR_FORGE_NOT_RECORDED/)
})

test(
  'G 73: egress: the allowlist decides, on every redirect and after resolution; private addresses are closed',
  skip,
  async t => {
    const bench = await createBench(t, packages, {
      egress: [
        `http://${outsideHost}`,
        'https://*.example.com',
        'https://localhost',
        'http://169.254.169.254',
        'https://127.0.0.1.nip.example.org',
        'http://[::1]:80',
      ],
      world: { hosts: [outsideHost] },
    })
    const one = await bench.customer('one')
    const fetchOf = (url: string, init = '{}') =>
      one.run<string>(
        `try { const answer = await fetch(payload, ${init}); return answer.status + ' ' + (await answer.text()) } catch (error) { return error.name + ' ' + (error.status ?? '') }`,
        url,
      )
    const base = `http://${outsideHost}`
    assert.equal(await fetchOf(`${base}/a`), '200 GET reached')
    assert.equal(await fetchOf(`${base}/?to=${encodeURIComponent(`${base}/b`)}`), '200 GET reached')
    const refused = /^REQUEST_EGRESS_ALLOWLIST_ERR 403$/
    const other = outsideHost.replace('127.0.0.1', 'localhost')
    const urls = [
      'https://elsewhere.org/',
      'https://example.com/',
      `https://${outsideHost}/`,
      `http://${other}/`,
      `http://user@${outsideHost}/`,
      'https://localhost/',
      'http://169.254.169.254/latest/meta-data/',
      'http://[::1]:80/',
      'ftp://a.example.com/',
      'https://a.example.com:9999/',
      `http://${outsideHost}%2f@evil.org/`,
      `http://${outsideHost}@evil.org/`,
      'file:///etc/passwd',
    ]
    for (const url of urls) assert.match(await fetchOf(url), /^(?:REQUEST_EGRESS_ALLOWLIST_ERR 403|TypeError )$/, url)
    const heard = requests.length
    for (const status of [301, 302, 303, 307, 308]) {
      assert.match(
        await fetchOf(`${base}/?status=${status}&to=${encodeURIComponent('https://elsewhere.org/')}`),
        refused,
      )
      assert.match(
        await fetchOf(`${base}/?status=${status}&to=${encodeURIComponent('http://169.254.169.254/')}`),
        refused,
      )
      assert.match(await fetchOf(`${base}/?status=${status}&to=${encodeURIComponent(`http://${other}/`)}`), refused)
    }
    assert.equal(requests.length - heard, 15)
    assert.match(
      await fetchOf(`${base}/?to=${encodeURIComponent('https://elsewhere.org/')}`, `{ redirect: 'manual' }`),
      /^302 /,
    )
    // Every way out is the same way out.
    for (const library of ['http', 'https']) {
      const code = `return new Promise(done => { const request = sdk.require('node:${library}').get(payload, answer => { let text = ''; answer.on('data', part => (text += part)); answer.on('end', () => done(answer.statusCode + ' ' + text)) }); request.on('error', error => done(error.name)) })`
      assert.equal(await one.run(code, 'https://elsewhere.org/'), 'REQUEST_EGRESS_ALLOWLIST_ERR', library)
    }
    assert.equal(
      await one.run(
        `return new Promise(done => sdk.require('node:http').get(payload, answer => { answer.resume(); done(answer.statusCode) }).on('error', error => done(error.name)))`,
        `${base}/a`,
      ),
      200,
    )
    // What the app calls itself with is not passed on to where it was sent.
    requests.length = 0
    await fetchOf(
      `${base}/?to=${encodeURIComponent(`${base}/again`)}`,
      `{ headers: { authorization: 'Bearer mine', 'x-own': '1' } }`,
    )
    assert.deepEqual(
      requests.map(({ headers }) => [headers.authorization, headers['x-own']]),
      [
        ['Bearer mine', '1'],
        ['Bearer mine', '1'],
      ],
    )
  },
)

test(
  'two installations, 10,000 interleaved calls with storage: module state, files and values never cross',
  skip,
  async t => {
    const bench = await createBench(t, packages, {
      world: { sandbox: { maxCalls: 100_000 }, limits: { perSecond: 1e6, burst: 1e6 } },
    })
    const [one, other] = [await bench.customer('one'), await bench.customer('other')]
    const code = `
    const { state, kvs } = sdk; const fs = sdk.require('node:fs')
    state.list = [...(state.list ?? []).slice(-20), payload.name]
    if (payload.n % 10 === 0) { await kvs.set('last', payload.name + payload.n); fs.writeFileSync('/tmp/last', payload.name) }
    const stored = payload.n % 10 === 5 ? await kvs.get('last') : payload.name
    return [state.list.every(name => name === payload.name), fs.readFileSync('/tmp/last', 'utf8') === payload.name, stored.startsWith(payload.name), context.accountId]`
    for (let n = 0; n < 5_000; n += 1) {
      const [first, second] = await Promise.all(
        [one, other].map(customer => customer.run(code, { name: customer.name, n })),
      )
      assert.deepEqual(
        [first, second],
        [
          [true, true, true, one.accountId],
          [true, true, true, other.accountId],
        ],
      )
    }
  },
)
