// Runs the scripts of the backplane as they are, with what Redis gives to scripts: redis.call, redis.pcall, redis.error_reply and cjson.
import fengari from 'fengari';

const { lua, lauxlib, lualib, to_jsstring, to_luastring } = fengari;

/** An error that Redis replies. */
export class ReplyError extends Error {
  /** @param {string} text */
  constructor(text) {
    super(text);
    // By which the backplane knows a reply from a broken connection, as with ioredis.
    this.name = 'ReplyError';
  }
}

/** A Lua state with the library of Redis over one store. */
export class LuaScripts {
  #state = lauxlib.luaL_newstate();
  /** Compiled, by text, as references into the registry of Lua. @type {Map<string, number>} */
  #compiled = new Map();

  /** @param {(args: string[]) => unknown} call  carries out a command; throws ReplyError */
  constructor(call) {
    const state = this.#state;
    lualib.luaL_openlibs(state);
    const library = {
      call: () => this.#call(call, true),
      pcall: () => this.#call(call, false),
      error_reply: () => {
        push(state, { err: to_jsstring(lauxlib.luaL_checkstring(state, 1)) });
        return 1;
      },
    };
    setLibrary(state, 'redis', library);
    setLibrary(state, 'cjson', {
      encode: () => {
        push(state, JSON.stringify(read(state, 1)));
        return 1;
      },
      decode: () => {
        push(state, JSON.parse(to_jsstring(lauxlib.luaL_checkstring(state, 1))));
        return 1;
      },
    });
  }

  /** @param {string} text @param {readonly string[]} keys @param {readonly string[]} args @returns {unknown} as a client reads it */
  run(text, keys, args) {
    const state = this.#state;
    let ref = this.#compiled.get(text);
    if (ref === undefined) {
      if (lauxlib.luaL_loadstring(state, to_luastring(text)) !== lua.LUA_OK) throw new ReplyError(this.#popText());
      ref = lauxlib.luaL_ref(state, lua.LUA_REGISTRYINDEX);
      this.#compiled.set(text, /** @type {number} */ (ref));
    }
    setGlobal(state, 'KEYS', keys);
    setGlobal(state, 'ARGV', args);
    lua.lua_rawgeti(state, lua.LUA_REGISTRYINDEX, ref);
    if (lua.lua_pcall(state, 0, 1, 0) !== lua.LUA_OK) throw new ReplyError(this.#popText());
    const reply = read(state, -1);
    lua.lua_settop(state, 0);
    if (reply !== null && typeof reply === 'object' && 'err' in reply) throw new ReplyError(String(reply.err));
    return reply;
  }

  /** @param {(args: string[]) => unknown} call @param {boolean} raises */
  #call(call, raises) {
    const state = this.#state;
    const args = [];
    const count = lua.lua_gettop(state);
    for (let i = 1; i <= count; i++) args.push(to_jsstring(lauxlib.luaL_tolstring(state, i)));
    lua.lua_settop(state, 0);
    try {
      push(state, call(args));
      return 1;
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      if (raises) return lauxlib.luaL_error(state, to_luastring('%s'), to_luastring(error.message));
      push(state, { err: error.message });
      return 1;
    }
  }

  #popText() {
    const text = to_jsstring(lauxlib.luaL_tolstring(this.#state, -1));
    lua.lua_settop(this.#state, 0);
    return text;
  }
}

/** @param {unknown} state @param {string} name @param {Record<string, () => number>} functions */
function setLibrary(state, name, functions) {
  lua.lua_newtable(state);
  for (const [key, run] of Object.entries(functions)) {
    lua.lua_pushcfunction(state, run);
    lua.lua_setfield(state, -2, to_luastring(key));
  }
  lua.lua_setglobal(state, to_luastring(name));
}

/** @param {unknown} state @param {string} name @param {unknown} value */
function setGlobal(state, name, value) {
  push(state, value);
  lua.lua_setglobal(state, to_luastring(name));
}

/** Nothing is `false` in Lua, as Redis has it. @param {unknown} state @param {unknown} value */
function push(state, value) {
  if (value === null || value === undefined) lua.lua_pushboolean(state, false);
  else if (typeof value === 'number') lua.lua_pushinteger(state, value);
  else if (typeof value === 'string') lua.lua_pushstring(state, to_luastring(value));
  else if (Array.isArray(value)) {
    lua.lua_createtable(state, value.length, 0);
    for (const [i, one] of value.entries()) {
      push(state, one);
      lua.lua_rawseti(state, -2, i + 1);
    }
  } else {
    lua.lua_newtable(state);
    for (const [key, one] of Object.entries(value)) {
      push(state, one);
      lua.lua_setfield(state, -2, to_luastring(key));
    }
  }
}

/** @param {unknown} state @param {number} index @returns {unknown} */
function read(state, index) {
  const at = lua.lua_absindex(state, index);
  switch (lua.lua_type(state, at)) {
    case lua.LUA_TSTRING:
      return to_jsstring(lua.lua_tostring(state, at));
    case lua.LUA_TNUMBER:
      return Math.trunc(lua.lua_tonumber(state, at));
    case lua.LUA_TBOOLEAN:
      return lua.lua_toboolean(state, at) ? 1 : null;
    case lua.LUA_TTABLE:
      return readTable(state, at);
    default:
      return null;
  }
}

/** A list up to its first hole, or an error. @param {unknown} state @param {number} at */
function readTable(state, at) {
  lua.lua_getfield(state, at, to_luastring('err'));
  const error = read(state, -1);
  lua.lua_pop(state, 1);
  if (typeof error === 'string') return { err: error };
  const list = [];
  for (let i = 1; ; i++) {
    if (lua.lua_rawgeti(state, at, i) === lua.LUA_TNIL) break;
    list.push(read(state, -1));
    lua.lua_pop(state, 1);
  }
  lua.lua_pop(state, 1);
  return list;
}
