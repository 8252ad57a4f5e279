// A stand-in for the driver of a MongoDB, whose old protocol no server of today speaks: collections by name, documents by key.
// The library's own MongoStore runs on it unchanged.
const { MongoStore } = require('ac-node')

exports.createStore = () => {
  const collections = new Map()
  const db = {
    collection(name, answer) {
      if (!collections.has(name)) collections.set(name, new Map())
      const collection = collectionOf(collections.get(name))
      return answer === undefined ? collection : answer(null, collection)
    },
  }
  const store = new MongoStore(Promise.resolve(db), 'ack')
  // Of all collections: what is left in the database, whatever the library's own listing shows.
  store.all = async () => Object.fromEntries([...collections].map(([name, rows]) => [name, Object.fromEntries(rows)]))
  return store
}

const collectionOf = rows => ({
  findOne: ({ key }, answer) => answer(null, rows.get(key) ?? null),
  update(query, row, _options, answer) {
    rows.set(query.key, row)
    answer(null, row)
  },
  ensureIndex: (_fields, _options, answer) => answer(null),
  remove(query, answer) {
    if (answer === undefined) rows.clear()
    else rows.delete(query.key)
    const done = answer ?? query
    done(null)
  },
})
