// Does one task after the other for a Rust parent: drive.rs.

process.on('message', ({ template, values }) => {
  try {
    const names = Object.keys(values)
    const render = new Function(...names, `return \`${template}\``)
    process.send({ text: render(...Object.values(values)) })
  } catch ({ name }) {
    process.send({ error: name })
  }
})
