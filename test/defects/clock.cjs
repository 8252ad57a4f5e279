// Loaded before an add-on under test: moves its clock forward when it is told to.
const now = Date.now
let aheadMs = 0
Date.now = () => now() + aheadMs

process.on('message', message => {
  if (typeof message?.aheadMs !== 'number') return
  aheadMs = message.aheadMs
  process.send('moved')
})
