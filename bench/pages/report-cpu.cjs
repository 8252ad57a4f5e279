// Loaded before every server of this bench, whatever it runs: tells the processor time of its process when it is asked.
process.on('message', message => {
  if (message === 'cpu') {
    const { user, system } = process.cpuUsage()
    process.send({ cpuMicros: user + system })
  }
})
