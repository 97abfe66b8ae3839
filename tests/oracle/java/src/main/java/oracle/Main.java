package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Reads cases, one a line, from standard input; writes what Kafka Streams answers, one a line. */
public final class Main {
    private Main() {}

    public static void main(String[] folder) throws Exception {
        ObjectMapper json = new ObjectMapper();
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        int number = 0;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode given = json.readTree(line);
            ObjectNode answer;
            try {
                answer = new Run(given, Path.of(folder[0], String.valueOf(number++))).answer();
            } catch (RuntimeException failure) {
                answer = json.createObjectNode().put("failure", failure.toString());
            }
            answer.put("name", given.path("name").asText());
            out.println(json.writeValueAsString(answer));
        }
    }
}
