//! The first version of an emitter. Node twin: `emitter.js`.

use std::collections::HashMap;

type Listener = Box<dyn Fn(&str)>;

#[derive(Default)]
struct Emitter(HashMap<&'static str, Vec<Listener>>);

impl Emitter {
    fn on(&mut self, event: &'static str, listener: impl Fn(&str) + 'static) {
        self.0.entry(event).or_default().push(Box::new(listener));
    }

    fn emit(&self, event: &str, argument: &str) {
        for listener in self.0.get(event).into_iter().flatten() {
            listener(argument);
        }
    }
}

fn main() {
    let mut emitter = Emitter::default();
    emitter.on("greet", |name| println!("hello {name}"));
    emitter.on("greet", |name| println!("welcome {name}"));
    emitter.emit("greet", "Ada");
}
