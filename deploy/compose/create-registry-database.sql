-- Run once, by the postgres image, when its volume is empty: the schema registry keeps its tables apart from Volley's.
CREATE DATABASE registry;
