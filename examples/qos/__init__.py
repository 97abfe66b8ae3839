"""Bad quality of service in real time: alerts per location, anomalies per stream, viewers who dropped off."""
