// A function in the style of a bundled Forge app: packages that such apps use, a little work, about 1 KB in and out.
const { sortBy, last } = require('lodash')
const { formatISO } = require('date-fns')
const jwt = require('jsonwebtoken')
const axios = require('axios')

const packages = [jwt, axios]
let calls = 0

module.exports = () => async payload => {
  calls += 1
  const sorted = sortBy(payload.items, 'n')
  return { calls, top: last(sorted).n, when: formatISO(new Date(0)), packages: packages.length, pad: payload.pad }
}
