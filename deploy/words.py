"""How often each word has come: a small program to deploy. Put your own in its place."""

import millstream as ms

app = ms.App("words", store="rocksdb")
words = app.stream("lines", value=str).flat_map_values(lambda line: line.lower().split())
words.group_by(lambda word: word).count(store="counts").to_stream().to("counts")

if __name__ == "__main__":
    app.run()
