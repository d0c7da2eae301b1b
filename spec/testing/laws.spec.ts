import { describe, expect, it } from 'vitest'
import { typicalFacts } from '../../dsl/play.ts'
import { type Resource, want, type Wish } from '../../dsl/resource.ts'
import { irreversible, refuse, Task, type Verdict } from '../../dsl/task.ts'
import type { Host, Step } from '../../engine/host.ts'
import { MemoryHost } from '../../engine/memory-host.ts'
import { Failure } from '../../errors/failure.ts'
import { Probe } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'
import type { Example } from '../../testing/example.ts'
import { type Ground, mockGround, tryLaws } from '../../testing/laws.ts'
import { hostileTexts, quoted } from '../../testing/quoted.ts'

/** A place that obeys, and what makes it break a law. */
function lamp(flaw: Partial<Resource<unknown>> = {}): Resource<unknown> {
  return {
    key: 'lamp:hall',
    read: Probe.script(sh`cat /run/lamp`, ({ stdout }) => stdout.toString()),
    write: (to) => sh`echo ${String(to)} >/run/lamp`.touches(),
    fresh: 'off',
    ...flaw,
  }
}

class Lamp extends Task {
  readonly module = 'lamp'
  readonly id = 'hall'
  readonly wishes: readonly Wish[]
  readonly verdicts: readonly Verdict[]

  constructor(wishes: readonly Wish[], verdicts: readonly Verdict[] = []) {
    super()
    this.wishes = wishes
    this.verdicts = verdicts
  }

  override judge() {
    return this.verdicts
  }
}

const example = (wishes: readonly Wish[], verdicts?: readonly Verdict[]): Example => {
  return { name: 'lamp, off', task: () => new Lamp(wishes, verdicts), proved: 'folder' }
}

const on = (flaw?: Partial<Resource<unknown>>) => example([want(lamp(flaw), 'on')])

/** A host in memory that does something else than it is told. */
function ground(change: (memory: MemoryHost) => Partial<Host>): Ground {
  const memory = new MemoryHost('mock', typicalFacts)
  const host: Host = {
    name: 'mock',
    trips: 0,
    facts: (as) => memory.facts(as),
    read: (resources) => memory.read(resources),
    apply: (steps) => memory.apply(steps),
    anew: (...confirmed) => memory.anew(...confirmed),
    ask: (view) => memory.ask(view),
    pause: (seconds) => memory.pause(seconds),
    react: (...run) => memory.react(...run),
    close: () => memory.close(),
    ...change(memory),
  }
  const snapshot: Ground['snapshot'] = async () => {
    return new Map([['lamp', { trace: JSON.stringify([...memory.values]) }]])
  }
  return { host, root: '/srv/example', before: async () => {}, snapshot }
}

const broken = async (shown: Example, on = mockGround()) => {
  const { breaches } = await tryLaws(shown, on)
  return breaches.map(({ law, seen }) => `${law}: ${seen}`)
}

describe('a law', () => {
  it('is kept by a module that obeys', async () => {
    expect(await tryLaws(on())).toMatchObject({ breaches: [], excused: [], conditional: 0, twice: [] })
  })

  it('is asked of examples that change something alone', async () => {
    expect(await broken(example([want(lamp(), 'off')]))).toEqual(['example: the task has nothing to change'])
    expect(await broken(example([want(lamp(), 'on')], [refuse('no power')]))).toEqual([
      'example: the plan says: no power',
    ])
  })

  it('«one step» and «rest» find what is not at rest', async () => {
    const brighter = want(lamp({ fresh: 1 }), (now) => (now as number) + 1)
    expect(await broken(example([brighter]))).toEqual([
      'one step: left: hall 2 → 3',
      'rest: hall was written again',
      'rest: memory was [["lamp:hall",2]] and is [["lamp:hall",3]]',
    ])
  })

  it('«one step» finds a write that does not do it', async () => {
    const deaf = ground(() => ({ apply: async (steps) => steps.map(() => 'done') }))
    expect(await broken(on(), deaf)).toEqual(['one step: hall was changed without an error, yet it is off and not on.'])
  })

  it('«quiet» finds a question that leaves something', async () => {
    const nosy = ground((memory) => ({
      read: (resources) => {
        memory.values.set('log', ((memory.values.get('log') as number | undefined) ?? 0) + 1)
        return memory.read(resources)
      },
    }))
    expect(await broken(on(), nosy)).toContainEqual('quiet: lamp was [] and is [["log",1]]')
  })

  it('«return» finds what does not come back, and «inverse» what comes back otherwise', async () => {
    const stays = ground((memory) => ({ apply: (steps) => memory.apply(steps.filter(({ to }) => to !== 'off')) }))
    expect(await broken(on(), stays)).toContainEqual('return: lamp:hall was "off" and is "on"')
    let stuck = true
    const sticks = ground((memory) => ({
      apply: async (steps) => {
        if (steps[0]!.to !== 'off' || !stuck) return memory.apply(steps)
        stuck = false
        return ['done']
      },
    }))
    expect(await tryLaws(on(), sticks)).toMatchObject({ breaches: [], twice: ['lamp:hall'] })
    let times = 0
    const fades = ground((memory) => ({
      apply: (steps) => {
        const faded = (step: Step) => (step.to === 'on' && times++ > 0 ? { ...step, to: 'dim' } : step)
        return memory.apply(steps.map(faded))
      },
    }))
    expect(await broken(on(), fades)).toEqual(['inverse: lamp:hall was "on" and is "dim"'])
  })

  it('«return» is not asked of what is declared irreversible, and finds what should be', async () => {
    const oneWay: Partial<Resource<unknown>> = {
      write: (to) => {
        if (to === 'off') throw new Failure('E_REFUSED', 'it burns for ever')
        return sh`true`.touches()
      },
    }
    expect(await broken(on(oneWay))).toEqual([
      'return: there is no script, and the plan does not say that it is irreversible: it burns for ever',
    ])
    const said = await tryLaws(example([want(lamp(oneWay), 'on')], [irreversible('it burns for ever')]))
    expect(said).toMatchObject({
      breaches: [],
      excused: [
        { law: 'return', why: 'it burns for ever' },
        { law: 'inverse', why: 'it burns for ever' },
      ],
    })
  })

  it('«inverse» finds values that a plan file does not keep', async () => {
    expect(await broken(example([want(lamp(), { colour: undefined })]))).toEqual([
      'inverse: hall: JSON does not keep {}',
    ])
  })

  it('«honest» finds a change that a reader cannot see', async () => {
    expect(await broken(on({ show: () => 'a lamp' }))).toEqual(['honest: hall is shown as a lamp before and after'])
    const diff = await broken(on({ show: () => 'a lamp', text: String }))
    expect(diff).toEqual([])
  })

  it('«told» finds what is no line, and what says nothing', async () => {
    expect(await broken(on({ show: (value) => `lamp\n${String(value)}` }))).toEqual([
      'told: hall is told as "lamp\\noff"',
      'told: hall is told as "lamp\\non"',
    ])
    expect(await broken(on({ show: (value) => (value === 'on' ? 'on' : '') }))).toEqual([
      'told: hall is told as "", which says nothing',
    ])
  })

  it('«plan» finds a run that does something else', async () => {
    let asked = 0
    const moody = want(lamp(), (now) => (now === 'off' ? `on ${asked++}` : now))
    expect(await broken(example([moody]))).toContainEqual(
      expect.stringMatching(/^plan: planned .*on 0.*; done .*on [1-9]/),
    )
  })
})

describe('the law «quoted»', () => {
  const lampOf = (name: string, read: (name: string) => ReturnType<typeof sh>) =>
    new Lamp([want({ ...lamp(), read: Probe.script(read(name), () => 'off') }, 'on')])

  it('is kept where every hole is quoted', async () => {
    // No shell takes a NUL, and half of a character is refused before there is a script.
    const told = hostileTexts.filter((each) => !each.includes('\0') && Buffer.from(each).toString() === each)
    for (const text of told)
      expect(await quoted(() => lampOf(text, (name) => sh`cat ${name}`))).toMatchObject({
        refused: undefined,
        breaches: [],
      })
  })

  it('finds a text that the shell reads, and one that no word can hold', async () => {
    const careless = (name: string) => sh`cat "${name}"`
    const { breaches } = await quoted(() => lampOf(hostileTexts[1]!, careless))
    expect(breaches).toEqual(["cat '$(touch fleetplay-canary)'"])
    const nul = await quoted(() => lampOf('x\0', (name) => sh`cat ${name}`))
    expect(nul.breaches).toEqual(['threw RangeError: a shell word cannot hold a NUL byte'])
  })
})
