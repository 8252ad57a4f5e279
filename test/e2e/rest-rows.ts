// Every call of HipChat's REST API v2 that an add-on makes: what the client is asked, and what must arrive at the host.

export interface Row {
  /** Method of `tenantClient`. */
  readonly name: string
  readonly args: readonly unknown[]
  /** Method, path and query as they come over the wire. */
  readonly request: string
  readonly scope: string
  /** Statuses that are success, the usual one first. */
  readonly statuses: readonly number[]
  /** JSON body. */
  readonly body?: unknown
  /** What the host says. */
  readonly answer?: unknown
}

const room = { id: 5, name: 'Den', topic: 'tea', is_archived: false, owner: { id: 1, mention_name: 'ada' }, links: {} }
const user = { id: 42, name: 'Ada', email: 'ada@example.com', photo_url: null, extra: { kept: [1] } }
const item = { id: 'm-1', date: '2026-11-22T10:00:00.000001+00:00', from: 'Bot', message: 'Hi', type: 'message' }
const emoticon = { id: 3, shortcut: 'tea', url: 'https://a.example/tea.png' }
const session = { access_token: 'abc', scopes: ['view_group'], client: { id: 'caller' }, expires_in: 60 }
const webhook = { id: 9, name: 'w', event: 'room_enter', url: 'https://a.example/w' }
const created = { id: 77, links: { self: 'https://h.example/77' } }
const list = (entry: unknown) => ({
  items: [entry],
  startIndex: 0,
  maxResults: 100,
  links: { self: 'https://h.example' },
})

const newWebhook = { name: 'w', event: 'room_message', url: 'https://a.example/w', pattern: '^x' }
const ada = { name: 'Ada', email: 'ada@example.com' }
const glance = { key: 'builds', content: { label: { type: 'html', value: '<b>5</b>' }, metadata: { isLate: true } } }
const panel = { name: { value: 'Builds' }, queryUrl: 'https://a.example/q' }
const link = 'https://a.example/page'

const get = (name: string, args: readonly unknown[], path: string, scope: string, answer: unknown): Row => {
  return { name, args, request: `GET ${path}`, scope, statuses: [200], answer }
}
const change = (name: string, args: readonly unknown[], request: string, scope: string, body?: unknown): Row => {
  return { name, args, request, scope, statuses: [204], body }
}
const make = (name: string, args: readonly unknown[], request: string, scope: string, body: unknown): Row => {
  return { name, args, request, scope, statuses: [201], body, answer: created }
}

const EMOTICONS_AND_SESSIONS: readonly Row[] = [
  get(
    'getEmoticons',
    [{ type: 'group', maxResults: 2 }],
    '/emoticon?type=group&max-results=2',
    'view_group',
    list(emoticon),
  ),
  get('getEmoticon', ['te/a', { expand: 'x' }], '/emoticon/te%2Fa?expand=x', 'view_group', emoticon),
  get('getSession', ['abc'], '/oauth/token/abc', 'abc', session),
  change('deleteSession', ['abc'], 'DELETE /oauth/token/abc', 'abc'),
]

const ROOMS: readonly Row[] = [
  get(
    'getRooms',
    [{ startIndex: 0, maxResults: 2, includePrivate: false, includeArchived: true, expand: ['items', 'items.owner'] }],
    '/room?start-index=0&max-results=2&include-private=false&include-archived=true&expand=items%2Citems.owner',
    'view_group',
    list(room),
  ),
  make('createRoom', [{ name: 'Den', guestAccess: true, ownerUserId: 1 }], 'POST /room', 'manage_rooms', {
    name: 'Den',
    guest_access: true,
    owner_user_id: 1,
  }),
  get('getRoom', [5, { expand: 'owner' }], '/room/5?expand=owner', 'view_group', room),
  change(
    'updateRoom',
    [5, { name: 'Den', privacy: 'public', isArchived: false, is_guest_accessible: true, topic: '', owner: { id: 1 } }],
    'PUT /room/5',
    'admin_room',
    { name: 'Den', privacy: 'public', is_archived: false, is_guest_accessible: true, topic: '', owner: { id: 1 } },
  ),
  change('deleteRoom', [5], 'DELETE /room/5', 'manage_rooms'),
  get('getRoomStatistics', [5, {}], '/room/5/statistics', 'view_group', { messages_sent: 3, last_active: null }),
  get('getRoomMembers', [5, { maxResults: 1 }], '/room/5/member?max-results=1', 'view_room', list(user)),
  change('addRoomMember', [5, 'ada@example.com'], 'PUT /room/5/member/ada%40example.com', 'admin_room'),
  change('removeRoomMember', [5, 42], 'DELETE /room/5/member/42', 'admin_room'),
  get('getRoomParticipants', [5, { expand: 'items' }], '/room/5/participant?expand=items', 'view_room', list(user)),
  change('inviteToRoom', [5, '@ada', 'tea'], 'POST /room/5/invite/%40ada', 'admin_room', { reason: 'tea' }),
  change('setRoomTopic', ['The Den/2', 'tea'], 'PUT /room/The%20Den%2F2/topic', 'admin_room', { topic: 'tea' }),
]

const MESSAGES: readonly Row[] = [
  change(
    'sendNotification',
    [5, 'Hi', { color: 'green', format: 'text', notify: true, attachTo: 'm-1', from: 'Bot' }],
    'POST /room/5/notification',
    'send_notification',
    { message: 'Hi', color: 'green', message_format: 'text', notify: true, attach_to: 'm-1', from: 'Bot' },
  ),
  {
    ...make('sendRoomMessage', [5, 'Hi'], 'POST /room/5/message', 'send_message', { message: 'Hi' }),
    statuses: [201, 200],
    answer: { id: 'm-2', timestamp: item.date },
  },
  change('replyToMessage', [5, 'm-1', 'Hi'], 'POST /room/5/reply', 'send_message', {
    parentMessageId: 'm-1',
    message: 'Hi',
  }),
  get(
    'getRoomHistory',
    [5, { date: 'recent', endDate: '2026-11-01', reverse: false, includeDeleted: true }],
    '/room/5/history?date=recent&end-date=2026-11-01&reverse=false&include_deleted=true',
    'view_messages',
    list(item),
  ),
  get(
    'getRecentRoomHistory',
    [5, { notBefore: 'm-1', timezone: 'UTC' }],
    '/room/5/history/latest?not-before=m-1&timezone=UTC',
    'view_messages',
    list(item),
  ),
  get('getRoomMessage', [5, 'm-1', {}], '/room/5/history/m-1', 'view_messages', { message: item }),
  change('shareLinkWithRoom', [5, link, 'see'], 'POST /room/5/share/link', 'send_message', { link, message: 'see' }),
  change(
    'shareFileWithRoom',
    [5, { name: 'a.txt', content: 'hello' }, 'see'],
    'POST /room/5/share/file',
    'send_message',
  ),
]

/** `getWebhooks` and its siblings are other names of the same calls. */
const WEBHOOKS: readonly Row[] = ['RoomWebhook', 'Webhook'].flatMap(noun => [
  get(`get${noun}s`, [5, { maxResults: 10 }], '/room/5/webhook?max-results=10', 'admin_room', list(webhook)),
  make(`create${noun}`, [5, newWebhook], 'POST /room/5/webhook', 'admin_room', newWebhook),
  get(`get${noun}`, [5, 9, {}], '/room/5/webhook/9', 'admin_room', webhook),
  change(`delete${noun}`, [5, 9], 'DELETE /room/5/webhook/9', 'admin_room'),
])

const EXTENSIONS: readonly Row[] = [
  make(
    'putRoomExtension',
    [5, 'webhook', 'w', newWebhook],
    'PUT /room/5/extension/webhook/w',
    'admin_room',
    newWebhook,
  ),
  change('deleteRoomExtension', [5, 'glance', 'b/s'], 'DELETE /room/5/extension/glance/b%2Fs', 'admin_room'),
  make('putExtension', ['webPanel', 'p', panel], 'PUT /extension/webPanel/p', 'admin_group', panel),
  change('deleteExtension', ['action', 'a'], 'DELETE /extension/action/a', 'admin_group'),
  change('glancePushGroup', [{ glance: [glance] }], 'POST /addon/ui', 'view_group', { glance: [glance] }),
  change('glancePushRoom', [5, [['builds', glance.content]]], 'POST /addon/ui/room/5', 'view_room', {
    glance: [glance],
  }),
  change('glancePushUser', [42, { glance: [glance] }], 'POST /addon/ui/user/42', 'view_group', { glance: [glance] }),
]

const USERS: readonly Row[] = [
  get(
    'getUsers',
    [{ includeGuests: true, includeDeleted: false, startIndex: 3 }],
    '/user?include-guests=true&include-deleted=false&start-index=3',
    'view_group',
    list(user),
  ),
  get('getUser', ['@ada', {}], '/user/%40ada', 'view_group', user),
  make('createUser', [{ ...ada, isGroupAdmin: false }], 'POST /user', 'admin_group', { ...ada, is_group_admin: false }),
  change('updateUser', [42, { ...ada, mentionName: 'ada' }], 'PUT /user/42', 'admin_group', {
    ...ada,
    mention_name: 'ada',
  }),
  change('deleteUser', ['ada@example.com'], 'DELETE /user/ada%40example.com', 'admin_group'),
  change('updateUserPhoto', [42, Buffer.from('png')], 'PUT /user/42/photo', 'admin_group', { photo: 'cG5n' }),
  change('deleteUserPhoto', [42], 'DELETE /user/42/photo', 'admin_group'),
  change('sendPrivateMessage', [42, 'Hi', { notify: true, format: 'text' }], 'POST /user/42/message', 'send_message', {
    message: 'Hi',
    notify: true,
    message_format: 'text',
  }),
  get(
    'getRecentPrivateChatHistory',
    [42, { notBefore: 'm-1' }],
    '/user/42/history/latest?not-before=m-1',
    'view_messages',
    list(item),
  ),
  get('getPrivateChatMessage', [42, 'm-1', {}], '/user/42/history/m-1', 'view_messages', item),
  change('shareLinkWithUser', [42, link], 'POST /user/42/share/link', 'send_message', { link }),
  change('shareFileWithUser', [42, { name: 'a.txt', content: 'hello' }], 'POST /user/42/share/file', 'send_message'),
]

export const ROWS: readonly Row[] = [
  ...EMOTICONS_AND_SESSIONS,
  ...ROOMS,
  ...MESSAGES,
  ...WEBHOOKS,
  ...EXTENSIONS,
  ...USERS,
]
