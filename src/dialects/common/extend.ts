/** Objects with getters that do work when they are read: how to add to them without reading. */

/** The services themselves, with facts added; getters among the facts stay getters. */
export const extend = <S extends object, F extends object>(services: S, facts: F): S & F =>
  Object.defineProperties(services, Object.getOwnPropertyDescriptors(facts)) as S & F
