// Everything that calls a function but a page: queues, schedules, events, web triggers, the app's own life. On a clock that tests move.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { JsonValue } from 'partywall'
import { type Bench, type Customer, createBench } from '../../support/forge-bench.ts'
import { forgePackages } from '../../support/forge-packages.ts'

const { folder: packages, skip } = await forgePackages('8.3')
const MINUTE = 60_000
const MODULES = `
  consumer:
    - key: worker
      queue: work
      function: on-queue
  scheduledTrigger:
    - key: hourly
      function: on-schedule
      interval: hour
    - key: often
      function: on-schedule
      interval: fiveMinute
  trigger:
    - key: issues
      function: on-event
      events:
        - avi:jira:created:issue
        - avi:jira:updated:issue
    - key: filtered
      function: on-filtered
      events:
        - eventType: avi:jira:updated:issue
          filter:
            ignoreSelf: true
            expression: event.issue.fields.summary.startsWith('urgent') && event.issue.fields.priority?.name != 'Low'
    - key: life
      function: on-lifecycle
      events:
        - avi:forge:installed:app
        - avi:forge:upgraded:app
        - avi:forge:uninstalled:app
  webtrigger:
    - key: hook
      function: on-web
    - key: fixed
      function: on-static
      response:
        type: static
        outputs:
          - key: fine
            statusCode: 202
            contentType: text/plain
            body: accepted
  preUninstall:
    - key: goodbye
      function: on-end`

let bench: Bench
let one: Customer
let other: Customer
const closers: (() => void | Promise<void>)[] = []
before(async () => {
  if (skip.skip !== undefined) return
  bench = await createBench({ after: work => void closers.push(work) }, packages, { modules: MODULES })
  one = await bench.customer('one')
  other = await bench.customer('other')
  await bench.app.idle()
})
test.after(async () => {
  for (const work of closers) await work()
})

const push = (customer: Customer, events: JsonValue) =>
  customer.run<string>(`return (await new sdk.events.Queue({ key: 'work' }).push(payload)).jobId`, events)
const stats = (customer: Customer, jobId: string) =>
  customer.run(
    `try { const { success, inProgress, failed } = await new sdk.events.Queue({ key: 'work' }).getJob(payload).getStats(); return { success, inProgress, failed } } catch (error) { return error.constructor.name }`,
    jobId,
  )
/** What a module does from now on, beside keeping its calls. */
const tell = (customer: Customer, module: string, code: string) =>
  customer.run(`await sdk.kvs.set('do:' + payload[0], payload[1]); await sdk.kvs.delete('heard:' + payload[0])`, [
    module,
    code,
  ])

test(
  'a pushed event reaches its consumer, in its own installation, with ids that the job’s count knows',
  skip,
  async () => {
    await tell(one, 'queue', 'return')
    const jobId = await push(one, [{ body: { n: 1 } }, { body: { n: 2 } }])
    await bench.app.idle()
    const heard = await one.heard('queue')
    assert.deepEqual(heard.map(({ body }) => (body as { n: number }).n).sort(), [1, 2])
    for (const event of heard)
      assert.deepEqual([event.jobId, event.queueName, typeof event.eventId], [jobId, 'work', 'string'])
    assert.deepEqual(await stats(one, jobId), { success: 2, inProgress: 0, failed: 0 })
    assert.deepEqual(await other.heard('queue'), [])
    assert.equal(await stats(other, jobId), 'JobDoesNotExistError')
  },
)

test(
  'G 74: what a function asks is asked for its own installation, whoever’s call its process was started by',
  skip,
  async () => {
    // Spares are made while calls of others run, one after the other.
    for (const name of ['first', 'second', 'third', 'fourth']) {
      const customer = await bench.customer(name)
      await tell(customer, 'queue', 'return')
      const jobId = await push(customer, { body: { name } })
      await bench.app.idle()
      assert.deepEqual(
        (await customer.heard('queue')).map(({ body }) => body),
        [{ name }],
      )
      assert.deepEqual(await stats(customer, jobId), { success: 1, inProgress: 0, failed: 0 })
      await new Promise(resolve => setTimeout(resolve, 400))
    }
  },
)

test('a delay keeps an event back; cancelling ends what has not begun', skip, async () => {
  await tell(one, 'queue', 'return')
  const late = await push(one, { body: { n: 1 }, delayInSeconds: 600 })
  const never = await push(one, { body: { n: 2 }, delayInSeconds: 600 })
  await bench.app.idle()
  assert.deepEqual(await stats(one, late), { success: 0, inProgress: 1, failed: 0 })
  await one.run(`await new sdk.events.Queue({ key: 'work' }).getJob(payload).cancel()`, never)
  await bench.app.time.advance(9 * MINUTE)
  assert.deepEqual(await one.heard('queue'), [])
  await bench.app.time.advance(2 * MINUTE)
  const heard = await one.heard('queue')
  assert.deepEqual(
    heard.map(({ body }) => body),
    [{ n: 1 }],
  )
  assert.equal(heard[0]?.delayInSeconds, 600)
  assert.deepEqual(await stats(one, late), { success: 1, inProgress: 0, failed: 0 })
  assert.deepEqual(await stats(one, never), { success: 0, inProgress: 0, failed: 1 })
})

test('an event whose function throws comes again with a retryContext, later each time, for a day', skip, async () => {
  await tell(one, 'queue', `if ((payload.retryContext?.retryCount ?? 0) < 2) throw new Error('not yet')`)
  const jobId = await push(one, { body: { n: 1 } })
  await bench.app.idle()
  assert.equal((await one.heard('queue')).length, 1)
  await bench.app.time.advance(MINUTE)
  const [first, second, third] = await one.heard<{
    retryContext?: { retryCount: number; retryReason: string; retentionWindow: { remainingTimeMs: number } }
  }>('queue')
  assert.equal(first?.retryContext, undefined)
  assert.deepEqual([second?.retryContext?.retryCount, third?.retryContext?.retryCount], [1, 2])
  assert.equal(second?.retryContext?.retryReason, 'FUNCTION_PLATFORM_UNKNOWN_ERROR')
  assert.ok((third?.retryContext?.retentionWindow.remainingTimeMs ?? 0) < 24 * 60 * MINUTE)
  assert.deepEqual(await stats(one, jobId), { success: 1, inProgress: 0, failed: 0 })
})

test('an event that never succeeds fails after a day, and not before', skip, async () => {
  await tell(
    one,
    'queue',
    `return { _retry: true, retryOptions: { retryAfter: 900, retryReason: 'FUNCTION_UPSTREAM_RATE_LIMITED' } }`,
  )
  await one.run(`await sdk.kvs.set('heard:queue', [])`)
  const jobId = await push(one, { body: {} })
  await bench.app.time.advance(23 * 60 * MINUTE)
  assert.deepEqual(await stats(one, jobId), { success: 0, inProgress: 1, failed: 0 })
  await bench.app.time.advance(2 * 60 * MINUTE)
  assert.deepEqual(await stats(one, jobId), { success: 0, inProgress: 0, failed: 1 })
})

test('a function asks for another attempt by what it returns, with its reason and data', skip, async () => {
  await tell(
    one,
    'queue',
    `if (!payload.retryContext) return new sdk.events.InvocationError({ retryAfter: 120, retryReason: sdk.events.InvocationErrorCode.FUNCTION_UPSTREAM_RATE_LIMITED, retryData: { at: 7 } })`,
  )
  await push(one, { body: { n: 1 } })
  await bench.app.time.advance(MINUTE)
  assert.equal((await one.heard('queue')).length, 1)
  await bench.app.time.advance(2 * MINUTE)
  const again = (await one.heard<{ retryContext?: Record<string, JsonValue> }>('queue'))[1]
  assert.deepEqual(
    [again?.retryContext?.retryReason, again?.retryContext?.retryData],
    ['FUNCTION_UPSTREAM_RATE_LIMITED', { at: 7 }],
  )
})

test('what the queue refuses has the SDK’s own errors', skip, async () => {
  const refusal = (code: string) =>
    one.run<string>(`try { ${code}; return 'taken' } catch (error) { return error.constructor.name }`)
  const queue = `new sdk.events.Queue({ key: 'work' })`
  assert.equal(
    await refusal(`await ${queue}.push(Array.from({ length: 51 }, () => ({ body: {} })))`),
    'TooManyEventsError',
  )
  assert.equal(await refusal(`await ${queue}.push({ body: { big: 'x'.repeat(201 * 1024) } })`), 'PayloadTooBigError')
  assert.equal(await refusal(`await ${queue}.push({ body: {}, delayInSeconds: 901 })`), 'InvalidPushSettingsError')
  assert.notEqual(await refusal(`await new sdk.events.Queue({ key: 'unknown' }).push({ body: {} })`), 'taken')
  assert.equal(await stats(one, 'a-job-of-nobody'), 'JobDoesNotExistError')
})

test('a concurrency key lets so many events of an installation run at a time', skip, async () => {
  const counting = `const { kvs } = sdk; sdk.state.running = (sdk.state.running ?? 0) + 1; sdk.state.most = Math.max(sdk.state.most ?? 0, sdk.state.running); await new Promise(resolve => setTimeout(resolve, 30)); sdk.state.running -= 1`
  await tell(one, 'queue', counting)
  const jobId = await push(
    one,
    Array.from({ length: 4 }, (_, n) => ({ body: { n }, concurrency: { key: 'slow', limit: 1 } })),
  )
  for (let waited = 0; waited < 10; waited += 1) {
    await bench.app.time.advance(2_000)
    if (JSON.stringify(await stats(one, jobId)).includes('"success":4')) break
  }
  assert.deepEqual(await stats(one, jobId), { success: 4, inProgress: 0, failed: 0 })
  assert.equal(await one.run('return sdk.state.most'), 1)
})

test(
  'schedules: first after five minutes, then each interval; a throw is not tried again and stops nothing',
  skip,
  async () => {
    const fresh = await bench.customer('schedules')
    await tell(fresh, 'schedule', `throw new Error('a bad day')`)
    await bench.app.time.advance(4 * MINUTE)
    assert.deepEqual(await fresh.heard('schedule'), [])
    await bench.app.time.advance(3 * MINUTE)
    const first = await fresh.heard<{ context: { moduleKey: string; cloudId: string } }>('schedule')
    assert.deepEqual(first.map(({ context }) => context.moduleKey).sort(), ['hourly', 'often'])
    assert.equal(first[0]?.context.cloudId, fresh.installation.site.cloudId)
    await bench.app.time.advance(60 * MINUTE)
    const keys = (await fresh.heard<{ context: { moduleKey: string } }>('schedule')).map(
      ({ context }) => context.moduleKey,
    )
    assert.equal(keys.filter(key => key === 'hourly').length, 2)
    assert.equal(keys.filter(key => key === 'often').length, 13)
    await fresh.installation.uninstall()
  },
)

test(
  'an event of a site reaches the triggers of its installation alone, filters decide, four retries at most',
  skip,
  async () => {
    await tell(
      one,
      'event',
      `return { _retry: true, retryOptions: { retryAfter: 60, retryReason: 'FUNCTION_RETRY_REQUEST' } }`,
    )
    const event = (summary: string, priority?: string) => ({
      eventType: 'avi:jira:updated:issue',
      issue: { key: 'CAR-1', fields: { summary, ...(priority === undefined ? {} : { priority: { name: priority } }) } },
    })
    assert.deepEqual(await one.installation.deliver(event('urgent brakes')), ['issues', 'filtered'])
    assert.deepEqual(await one.installation.deliver(event('urgent brakes', 'Low')), ['issues'])
    assert.deepEqual(await one.installation.deliver(event('brakes')), ['issues'])
    assert.deepEqual(await one.installation.deliver(event('urgent'), { isSelfGenerated: true }), ['issues'])
    assert.deepEqual(await one.installation.deliver({ eventType: 'avi:jira:deleted:issue' }), [])
    await bench.app.idle()
    const [filtered] = await one.heard('filtered')
    assert.deepEqual(
      [filtered?.eventType, filtered?.context],
      ['avi:jira:updated:issue', one.installation.site.contextAri],
    )
    assert.equal((await one.heard('filtered')).length, 1)
    const heard = await one.heard('event')
    assert.equal(heard.length, 4)
    assert.equal(heard.filter(({ selfGenerated }) => selfGenerated === true).length, 1)
    await bench.app.time.advance(10 * MINUTE)
    assert.equal((await one.heard('event')).length, 4 * 5)
    assert.deepEqual(await other.heard('event'), [])
  },
)

test(
  'what happens in the simulated product arrives as Forge has it, and says when the app did it itself',
  skip,
  async () => {
    const { host } = bench.world
    const events: unknown[] = []
    const stop = host.on('forge', ({ product, event, causedBy }) => {
      if (product.site === one.site) events.push([event.eventType, causedBy ?? null])
    })
    await one.run(
      `await sdk.api.asApp().requestJira(sdk.route\`/rest/api/3/issue/\${payload}\`, { method: 'PUT', body: JSON.stringify({ fields: { summary: 'new' } }) })`,
      one.issueKey,
    )
    await host.fire(one.site.jira, 'jira:issue_created', { payload: { issue: { key: 'CAR-9' } } })
    stop()
    assert.deepEqual(events, [
      ['avi:jira:updated:issue', bench.app.id],
      ['avi:jira:created:issue', null],
    ])
  },
)

test(
  'G 77: a web trigger’s address has 128 random bits, belongs to one installation, is stable and dies with it',
  skip,
  async () => {
    const url = await one.installation.webTriggerUrl('hook')
    assert.equal(await one.installation.webTriggerUrl('hook'), url)
    assert.notEqual(await other.installation.webTriggerUrl('hook'), url)
    const id = url.split('/x1/')[1] ?? ''
    const secrets = new Set<string>()
    for (let n = 0; n < 20; n += 1) {
      const made = await one.run<string>(`return sdk.webTrigger.getUrl('hook', true)`)
      secrets.add(
        Buffer.from(made.split('/x1/')[1] ?? '', 'base64url')
          .subarray(16)
          .toString('hex'),
      )
    }
    assert.equal(secrets.size, 20)
    for (const secret of secrets) assert.equal(secret.length * 4, 128)
    await tell(
      one,
      'web',
      `return { statusCode: 201, headers: { 'X-One': ['a', 'b'], 'Set-Cookie': ['id=1'], 'content-type': ['text/html'] }, body: '<script>1</script>' }`,
    )
    const answer = await fetch(`${url}/more/path?x=1,2&x=3&y=z`, {
      method: 'PUT',
      headers: { 'X-In': 'in' },
      body: 'hello',
    })
    assert.deepEqual(
      [answer.status, answer.headers.get('x-one'), await answer.text()],
      [201, 'a, b', '<script>1</script>'],
    )
    // Tenants share the origin: no cookie, no script of one may reach another.
    assert.equal(answer.headers.get('set-cookie'), null)
    assert.match(answer.headers.get('content-security-policy') ?? '', /^sandbox /)
    const [heard] = await one.heard<Record<string, JsonValue>>('web')
    assert.deepEqual([heard?.method, heard?.userPath, heard?.body], ['PUT', '/more/path', 'hello'])
    assert.deepEqual(heard?.queryParameters, { x: ['1', '2', '3'], y: ['z'] })
    assert.deepEqual((heard?.headers as Record<string, JsonValue> | undefined)?.['x-in'], ['in'])
    assert.ok(String(heard?.path).startsWith(`/x1/${id}/`))
    assert.equal((await fetch(url.replace('/x1/', '/public/'))).status, 201)
    assert.deepEqual(await other.heard('web'), [])

    // Whoever has one installation's secret has not got the other's; what is no address and what is nobody's look the same.
    const mixed = Buffer.concat([
      Buffer.from(other.installation.id.replaceAll('-', ''), 'hex'),
      Buffer.from(id, 'base64url').subarray(16),
    ])
    for (const wrong of [
      mixed.toString('base64url'),
      'x',
      `${id}A`,
      id.slice(0, -1),
      Buffer.alloc(32).toString('base64url'),
    ]) {
      const refused = await fetch(url.replace(id, wrong))
      assert.deepEqual([refused.status, await refused.text()], [404, ''], wrong)
    }

    const leaving = await bench.customer('leaving')
    const dead = await leaving.installation.webTriggerUrl('hook')
    await tell(leaving, 'web', `return { statusCode: 200 }`)
    assert.equal((await fetch(dead)).status, 200)
    await leaving.installation.uninstall()
    assert.equal((await fetch(dead)).status, 404)
  },
)

test(
  'a web trigger’s answer is checked; static ones send what the manifest says; errors tell nothing',
  skip,
  async () => {
    const url = await one.installation.webTriggerUrl('hook')
    for (const code of [
      `return { statusCode: 99 }`,
      `return 'text'`,
      `return undefined`,
      `return { statusCode: 200, body: 7 }`,
      `throw new Error('the inside')`,
    ]) {
      await tell(one, 'web', code)
      const answer = await fetch(url)
      assert.equal(answer.status, 500, code)
      assert.doesNotMatch(await answer.text(), /inside|index\.js/)
    }
    await tell(one, 'static', `return { outputKey: 'fine' }`)
    const answer = await fetch(await one.installation.webTriggerUrl('fixed'))
    assert.deepEqual(
      [answer.status, answer.headers.get('content-type'), await answer.text()],
      [202, 'text/plain', 'accepted'],
    )
    await tell(one, 'static', `return { outputKey: 'unknown' }`)
    assert.equal((await fetch(await one.installation.webTriggerUrl('fixed'))).status, 500)
    await assert.rejects(one.installation.webTriggerUrl('nothing'), { code: 'ERR_FORGE_MODULE_UNKNOWN' })
  },
)

test('an app deletes and lists its addresses, and nobody else’s', skip, async () => {
  const url = await one.run<string>(`return sdk.webTrigger.getUrl('hook', true)`)
  const theirs = await other.installation.webTriggerUrl('hook')
  await other.run(`await sdk.webTrigger.deleteUrl(payload).catch(() => undefined)`, url)
  await tell(one, 'web', 'return { statusCode: 200 }')
  assert.equal((await fetch(url)).status, 200)
  await one.run(`await sdk.webTrigger.deleteUrl(payload)`, url)
  assert.equal((await fetch(url)).status, 404)
  const listed = await one.run<readonly { moduleKey: string; url: string }[]>(`return sdk.webTrigger.queryUrls('hook')`)
  assert.ok(
    listed.some(one => one.url !== url) &&
      listed.every(({ url: listedUrl }) => listedUrl !== theirs && listedUrl !== url),
  )
  // Nobody would check the secret: rather no address than one that is not what it says.
  const keyed = await one.run(
    `try { return await sdk.webTrigger.getUrl('hook', { secretKeyConfig: { key: 'k' } }) } catch (error) { return error.message }`,
  )
  assert.match(String(keyed), /Internal error|ERR_FORGE_NOT_SIMULATED/)
})

test(
  'the app’s life: installed with facts, heard before the end, heard after it without any rights',
  skip,
  async () => {
    const brief = await bench.customer('brief')
    await bench.app.idle()
    const [installed] = await brief.heard<Record<string, JsonValue>>('lifecycle')
    assert.equal(installed?.eventType, 'avi:forge:installed:app')
    assert.equal(installed?.id, `ari:cloud:ecosystem::installation/${brief.installation.id}`)
    assert.deepEqual((installed?.app as { version: string } | undefined)?.version, '1.0.0')
    await tell(brief, 'end', `console.log('last words with ' + (await sdk.kvs.get('heard:lifecycle')).length)`)
    await brief.installation.uninstall()
    const lines = bench.world.log.filter(
      ({ event, fields }) => event === 'forge-log' && fields.tenant === brief.installation.id,
    )
    assert.match(JSON.stringify(lines), /last words with/, JSON.stringify(bench.world.log.slice(-5)))
    // Storage refuses it then, and that is logged as the function's failure.
    const failed = bench.world.log.find(
      ({ event, fields }) => event === 'forge-trigger-failed' && fields.tenant === brief.installation.id,
    )
    assert.match(String((failed?.fields.error as Error | undefined)?.message), /INSTALLATION_ENDED|not installed/)
    await assert.rejects(brief.installation.invoke('run', { code: 'return 1' }), { code: 'ERR_TENANT_DISABLED' })
  },
)

test('a pre-uninstall that throws or hangs keeps nobody from leaving', skip, async () => {
  const stubborn = await bench.customer('stubborn')
  await tell(stubborn, 'end', `throw new Error('I stay')`)
  await stubborn.installation.uninstall()
  await assert.rejects(stubborn.run('return 1'), { code: 'ERR_TENANT_DISABLED' })
})
