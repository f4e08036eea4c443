// What the page says, in the language of the browser: English or Chinese.
// The English text is the key, so `chat.js` can be read without this file.

'use strict'

const CHINESE = {
  // The page itself
  'Chat': '聊天',
  'What is your name?': '你叫什么名字？',
  'Come in': '进入',
  'Rooms': '房间',
  'Room': '房间',
  'another room': '另一个房间',
  'Join': '加入',
  'Leave': '离开',
  'New messages ↓': '有新消息 ↓',
  'Message': '消息',
  'Say something': '说点什么',
  'Send': '发送',
  'Everybody': '所有人',
  'Here': '在场的人',
  'In {room}': '{room} 里的人',
  '{name} (you)': '{name}（你）',
  'the server\'s time': '服务器的时间',

  // What happens
  'not connected': '未连接',
  'connecting …': '正在连接……',
  'connected by {transport}': '已连接（{transport}）',
  'long polling': '长轮询',
  'connection lost, connecting again …': '连接断开，正在重新连接……',
  'connected again; what was said meanwhile is lost':
    '已重新连接；这期间的消息丢失了',
  'Welcome, {name}!': '欢迎，{name}！',
  '{name} joined': '{name} 来了',
  '{name} left': '{name} 走了',

  // What goes wrong
  'No server answers; trying again …': '服务器没有应答，正在重试……',
  'Not connected: your text stays here until you send it again.':
    '未连接：文字留在这里，连上后请再发送一次。',
  'Not connected: join the room later.': '未连接：请稍后再加入房间。',
  'The server did not answer: perhaps nobody has read this.':
    '服务器没有应答：这条消息可能没有人看到。',
  'The server did not answer: join the room again.':
    '服务器没有应答：请再加入一次房间。',

  // What the server refuses
  'a name has 1 to 24 visible characters': '名字须为 1 到 24 个可见字符',
  'a room\'s name has 1 to 24 visible characters':
    '房间名须为 1 到 24 个可见字符',
  'a message has 1 to 2000 characters': '一条消息须为 1 到 2000 个字符',
  'a message needs a room and a text': '消息须有房间和文字',
  'you are not in this room': '你不在这个房间里',
  'you are in 20 rooms already': '你已经在 20 个房间里了',
}

// The first language of the browser that the page knows.
const isChinese = navigator.languages
  .map(language => language.split('-')[0])
  .find(language => ['en', 'zh'].includes(language)) === 'zh'

/** The text in the browser's language, with `{words}` filled in. */
function translate(text, words = {}) {
  const translated = isChinese ? CHINESE[text] ?? text : text
  return translated.replace(/\{(\w+)\}/g, (_, word) => words[word])
}

/** Translates what stands in the HTML. */
function translatePage() {
  document.documentElement.lang = isChinese ? 'zh-Hans' : 'en'
  document.title = translate('Chat')
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = translate(element.textContent.replace(/\s+/g, ' '))
  }
  for (const element of document.querySelectorAll('[placeholder]')) {
    element.placeholder = translate(element.placeholder)
  }
  document.getElementById('clock').title = translate('the server\'s time')
}
