"""Answers, version-neutral: each class has every field of the versions served, named as Kafka's schema names them.

They are written by attribute (`codec.write_answer`), so a field that a version lacks is not written.
"""
