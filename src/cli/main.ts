#!/usr/bin/env node
/** The `partywall` program: hands the process's arguments and streams to the command line. */

import { runCommandLine } from './command-line.ts'

process.exitCode = await runCommandLine(process.argv.slice(2), {
  out: text => void process.stdout.write(text),
  error: text => void process.stderr.write(text),
})
